import type { Change } from "../model/change.ts";
import type { ChangeListener, Emit, PublicChange } from "../model/events.ts";
import { compilePattern, type Pattern } from "../model/pattern.ts";
import { reportUncaught } from "../util/report-error.ts";
import { ChangeIterator } from "./change-iterator.ts";

/** The store of a watch. */
export interface WatchOwner {
  readonly emit: Emit;
}

/** The result of `watch`: with a listener a function that ends the watch, else an iterator. */
export type WatchHandle = (() => void) & AsyncIterable<PublicChange>;

/** A call of `watch` that has not ended. */
interface Watch {
  readonly pattern: string;
  /** Undefined once the watch has ended. */
  listener: ChangeListener | undefined;
  readonly end: () => void;
}

/** More keys than the tabs of a browser change at the same time: a slice of a bulk call has 256. */
const ORDERED_KEYS = 4_096;

/**
 * The watches of all stores of a page. Must call a listener for every change of its keys, in the order of their versions. A change reaches it
 * after the memory of every store, so that the listener reads the new value.
 */
export class Watches {
  /** Key → the watches of this key alone: a change finds them at once, however many watches there are. */
  readonly #ofKeys = new Map<string, Set<Watch>>();
  readonly #ofPatterns = new Map<Watch, Pattern>();
  /** Owner → its watches. */
  readonly #owned = new Map<WatchOwner, Set<Watch>>();
  /** Owners that dispatch the event `change`. */
  readonly #dispatching = new WeakSet<WatchOwner>();
  /** Owners whose watches have ended for good. */
  readonly #closed = new WeakSet<WatchOwner>();
  /** Key → the version of its newest change. Has the keys that have changed last. */
  readonly #newest = new Map<string, number>();
  readonly #checkStorage: (() => Promise<unknown>) | undefined;

  /** @param checkStorage rejects if there is no storage: then iterators reject too */
  constructor(checkStorage?: () => Promise<unknown>) {
    this.#checkStorage = checkStorage;
  }

  /**
   * Calls the listener for the changes of the keys that match the pattern.
   * @param onEnd called once, when the watch has ended
   * @returns ends the watch, as an aborted signal and `endOf` do
   */
  add(owner: WatchOwner, pattern: string, listener: ChangeListener, signal?: AbortSignal, onEnd?: () => void): () => void {
    const compiled = compilePattern(pattern);
    const isOneKey = compiled.prefix === pattern;
    const owned = this.#owned.get(owner) ?? new Set();
    const ofKey = this.#ofKeys.get(pattern) ?? new Set();
    const end = (): void => {
      if (watch.listener === undefined) return;
      watch.listener = undefined;
      signal?.removeEventListener("abort", end);
      owned.delete(watch);
      if (owned.size === 0) this.#owned.delete(owner);
      ofKey.delete(watch);
      if (ofKey.size === 0) this.#ofKeys.delete(pattern);
      this.#ofPatterns.delete(watch);
      onEnd?.();
    };
    const watch: Watch = { pattern, listener, end };
    this.#owned.set(owner, owned.add(watch));
    if (isOneKey) this.#ofKeys.set(pattern, ofKey.add(watch));
    else this.#ofPatterns.set(watch, compiled);
    if (signal?.aborted || this.#closed.has(owner)) end();
    else signal?.addEventListener("abort", end);
    return end;
  }

  /** Calls the listener, if there is one, else collects the changes. */
  watch(owner: WatchOwner, pattern: string, signal: AbortSignal | undefined, listener: unknown): WatchHandle {
    const isListener = typeof listener === "function";
    return (
      isListener ? this.add(owner, pattern, listener as ChangeListener, signal) : this.#iterate(owner, pattern, signal)
    ) as WatchHandle;
  }

  #iterate(owner: WatchOwner, pattern: string, signal: AbortSignal | undefined): ChangeIterator {
    const changes = new ChangeIterator(pattern, this.#checkStorage);
    changes.end = this.add(owner, pattern, changes.push, signal, changes.finish);
    return changes;
  }

  /** From now on, the owner dispatches an event for each change. */
  dispatchTo(owner: WatchOwner): void {
    if (this.#dispatching.has(owner)) return;
    this.#dispatching.add(owner);
    this.add(owner, "*", (change) => owner.emit("change", change));
  }

  /** Ends the watches of an owner, also those that it adds later. */
  endOf(owner: WatchOwner): void {
    this.#closed.add(owner);
    for (const { end } of this.#owned.get(owner) ?? []) end();
  }

  /** Receives the changes of the change feed. */
  apply(changes: readonly Change[]): void {
    if (this.#owned.size === 0) return this.#newest.clear();
    for (const change of changes) {
      if (change.type === "clear") {
        this.#newest.clear();
        const watches = Array.from(this.#owned.values(), (owned) => [...owned]).flat();
        for (const watch of watches) deliver(watch, publicChange(change, watch.pattern));
        // A `touch` changes the expiry only.
      } else if (change.type !== "touch" && !this.#isOvertaken(change)) {
        const { key } = change;
        const watches = [...(this.#ofKeys.get(key) ?? [])];
        for (const [watch, pattern] of this.#ofPatterns) if (pattern.matches(key)) watches.push(watch);
        const told = watches.length > 0 ? publicChange(change, key) : undefined;
        for (const watch of watches) deliver(watch, told!);
      }
    }
  }

  /** Messages of other tabs arrive in any order, also before the end of this tab's own transaction is known. */
  #isOvertaken(change: Exclude<Change, { type: "clear" }>): boolean {
    const { key } = change;
    const newest = this.#newest.get(key) ?? 0;
    this.#newest.delete(key);
    if (!("version" in change)) return false;
    // An imported entry may have a lower version than the one that it replaces.
    const version = ("floor" in change ? change.floor : undefined) ?? change.version;
    this.#newest.set(key, Math.max(newest, version));
    if (this.#newest.size > ORDERED_KEYS) this.#newest.delete(this.#newest.keys().next().value!);
    return version < newest;
  }
}

/** The change without the parts that are for memory and limits only. */
function publicChange(change: Change, key: string): PublicChange {
  const { source } = change;
  const type = change.type as Exclude<typeof change.type, "touch">;
  return Object.freeze("version" in change ? { key, type, source, version: change.version } : { key, type, source });
}

/** An error of a listener concerns neither the other listeners nor the write. */
function deliver({ listener }: Watch, change: PublicChange): void {
  try {
    listener?.(change);
  } catch (error) {
    reportUncaught(error);
  }
}
