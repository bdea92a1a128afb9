/** Its own declarations are not found by TypeScript: its package.json names them without the `.d.ts`. */
declare module "keyv-browser" {
  import type { KeyvStoreAdapter } from "keyv";

  export const KeyvIndexedDB: new (options: { dbName: string; storeName: string }) => KeyvStoreAdapter;
}
