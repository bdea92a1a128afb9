import type { KeyStoreEvents, NASKeyStore } from "nas-keystore";
import { withDeadline } from "../../e2e/support/deadline.ts";

/** Collects the details of a store's events of one type, from now on. */
export function details<Type extends keyof KeyStoreEvents>(store: NASKeyStore, type: Type): KeyStoreEvents[Type][] {
  const list: KeyStoreEvents[Type][] = [];
  store.addEventListener(type, ({ detail }) => list.push(detail));
  return list;
}

/** Resolves to the detail of the next event of a type for which `matches` returns true. */
export function nextEvent<Type extends keyof KeyStoreEvents>(
  store: NASKeyStore,
  type: Type,
  matches: (detail: KeyStoreEvents[Type]) => boolean = () => true,
): Promise<KeyStoreEvents[Type]> {
  const dispatched = new Promise<KeyStoreEvents[Type]>((resolve) => {
    store.addEventListener(type, ({ detail }) => {
      if (matches(detail)) resolve(detail);
    });
  });
  return withDeadline(dispatched, () => `No event "${type}" was dispatched.`);
}
