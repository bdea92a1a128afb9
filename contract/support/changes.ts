import type { KeyStoreEvents, NASKeyStore } from "nas-keystore";

type Change = KeyStoreEvents["change"];

/** Collects the changes of a watch, from now on: "source type key version". */
export function watched(store: NASKeyStore, pattern = "*"): string[] {
  const list: string[] = [];
  store.watch(pattern, (change) => list.push(lineOf(change)));
  return list;
}

export function lineOf({ source, type, key, version }: Change): string {
  return [source, type, key, ...(version === undefined ? [] : [version])].join(" ");
}

/** The first changes of a watch without a listener. Ends it. */
export async function take(changes: AsyncIterable<Change>, count: number): Promise<string[]> {
  const taken: string[] = [];
  for await (const change of changes) {
    taken.push(lineOf(change));
    if (taken.length === count) break;
  }
  return taken;
}
