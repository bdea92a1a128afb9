import type { KeyStoreEvents, NASKeyStore } from "nas-keystore";
import { until } from "./waiting.ts";

/** Collects the details of a store's events of one type, from now on. */
export function details<Type extends keyof KeyStoreEvents>(store: NASKeyStore, type: Type): KeyStoreEvents[Type][] {
  const list: KeyStoreEvents[Type][] = [];
  store.addEventListener(type, ({ detail }) => list.push(detail));
  return list;
}

/** Resolves to the detail of the next event of a type. */
export async function nextEvent<Type extends keyof KeyStoreEvents>(store: NASKeyStore, type: Type): Promise<KeyStoreEvents[Type]> {
  const list = details(store, type);
  await until(`the event "${type}" is dispatched`, () => list.length > 0);
  return list[0]!;
}
