import localforage from "localforage";

export function openLocalforage(name: string): { forage: LocalForage; end(): Promise<void> } {
  const forage = localforage.createInstance({ name, driver: localforage.INDEXEDDB });
  return { forage, end: () => forage.dropInstance({ name }) };
}
