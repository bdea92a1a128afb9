import { createStorage, type Storage } from "unstorage";
import indexedDb from "unstorage/drivers/indexedb";

export function openUnstorage(name: string): Storage {
  return createStorage({ driver: indexedDb({ dbName: name, storeName: "values" }) });
}
