/** TypeScript does not find the declarations of the package, because its package.json names them without `.d.ts`. */
declare module "keyv-browser" {
  import type { KeyvStoreAdapter } from "keyv";

  export const KeyvIndexedDB: new (options: { dbName: string; storeName: string }) => KeyvStoreAdapter;
}
