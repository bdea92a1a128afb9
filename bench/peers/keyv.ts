import { Keyv } from "keyv";
import { KeyvIndexedDB } from "keyv-browser";

export function openKeyv(name: string): Keyv {
  const keyv = new Keyv({ store: new KeyvIndexedDB({ dbName: name, storeName: "values" }) });
  // Its own serializer needs Node's Buffer, and IndexedDB takes objects as they are.
  keyv.serialize = undefined;
  keyv.deserialize = undefined;
  return keyv;
}
