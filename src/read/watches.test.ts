import { beforeEach, describe, expect, it, vi } from "vitest";
import type { Change } from "../model/change.ts";
import type { PublicChange } from "../model/events.ts";
import { Watches, type WatchOwner } from "./watches.ts";

const STORE: WatchOwner = { emit: () => undefined };

const stored = (key: string, version = 1): Change => ({ source: "tab", type: "store", key, version });
const deleted = (key: string, version: number): Change => ({ source: "tab", type: "delete", key, version });
const evicted = (key: string): Change => ({ source: "local", type: "evict", key });
const CLEAR: Change = { source: "local", type: "clear" };

let watches: Watches;
beforeEach(() => void (watches = new Watches()));

/** Watches a pattern. @returns what the watch tells, a line for each change */
function watching(pattern: string, owner = STORE): string[] {
  const told: string[] = [];
  watches.add(owner, pattern, ({ type, key, version }) => told.push([type, key, version].join(" ").trim()));
  return told;
}

describe("A watch", () => {
  it.each([
    ["user:1", ["store user:1 1"]],
    ["user:*", ["store user:1 1", "store user:2 1"]],
    ["user:?", ["store user:1 1", "store user:2 1"]],
    ["*", ["store user:1 1", "store user:2 1", "store team 1"]],
    ["user:[!1]", ["store user:2 1"]],
    ["user", []],
    ["", []],
    ["user:[1", []],
  ])("of %s gets the changes of the keys that match", (pattern, expected) => {
    const told = watching(pattern);
    watches.apply([stored("user:1"), stored("user:2"), stored("team")]);
    expect(told).toEqual(expected);
  });

  it("of a pattern without wildcards gets the changes of the key of the same text", () => {
    const told = [watching("a[b"), watching("a[*]b")];
    watches.apply([stored("a[b"), stored("a*b"), stored("ab")]);
    expect(told).toEqual([["store a[b 1"], ["store a*b 1"]]);
  });

  it("gets no late change, also after several late ones", () => {
    const told = watching("k");
    watches.apply([stored("k", 3), stored("k", 1), stored("k", 2), stored("k", 4)]);
    expect(told).toEqual(["store k 3", "store k 4"]);
  });

  it("tells once that it has ended, however often it is ended", () => {
    const onEnd = vi.fn<() => void>();
    const end = watches.add(STORE, "k", () => undefined, undefined, onEnd);
    end();
    watches.endOf(STORE);
    end();
    expect(onEnd).toHaveBeenCalledTimes(1);
  });

  it("gets a frozen object that has no internal parts", () => {
    const listener = vi.fn<(change: PublicChange) => void>();
    watches.add(STORE, "*", listener);
    const grew = { entries: 1, bytes: 2 };
    watches.apply([{ source: "local", type: "delete", key: "k", version: 2, grew }, evicted("k"), CLEAR]);
    const told = listener.mock.calls.map(([change]) => change);
    expect(told).toStrictEqual([
      { key: "k", type: "delete", source: "local", version: 2 },
      { key: "k", type: "evict", source: "local" },
      { key: "*", type: "clear", source: "local" },
    ]);
    expect(told.every((change) => Object.isFrozen(change))).toBe(true);
  });

  it("gets an `invalidate` with the version of the entry, unless a newer write has overtaken it, and no `touch`", () => {
    const told = watching("k");
    const marked = (type: "invalidate" | "touch", version: number): Change => ({ source: "tab", type, key: "k", version });
    watches.apply([stored("k", 2), marked("touch", 2), marked("invalidate", 2), stored("k", 3), marked("invalidate", 2)]);
    expect(told).toEqual(["store k 2", "invalidate k 2", "store k 3"]);
  });

  it("gets each `clear`, with its own pattern as the key", () => {
    const told = [watching("user:1"), watching("user:*"), watching("[*]")];
    watches.apply([CLEAR]);
    expect(told).toEqual([["clear user:1"], ["clear user:*"], ["clear [*]"]]);
  });

  it("is one of many: each function that ends a watch ends that one only, and may be called again", () => {
    const listener = vi.fn<() => void>();
    const ends = ["k", "k", "*"].map((pattern) => watches.add(STORE, pattern, listener));
    watches.apply([stored("k", 1)]);
    expect(listener).toHaveBeenCalledTimes(3);
    ends[0]?.();
    ends[0]?.();
    watches.apply([stored("k", 2)]);
    expect(listener).toHaveBeenCalledTimes(5);
    for (const end of ends) end();
    watches.apply([stored("k", 3), CLEAR]);
    expect(listener).toHaveBeenCalledTimes(5);
  });

  it("ends with its signal, and leaves no listener on a signal that lives longer", () => {
    const controller = new AbortController();
    const { signal } = controller;
    const added = vi.spyOn(signal, "addEventListener");
    const removed = vi.spyOn(signal, "removeEventListener");
    const listener = vi.fn<() => void>();
    const end = watches.add(STORE, "k", listener, signal);
    watches.add(STORE, "k", listener, signal);
    end();
    expect(removed.mock.calls[0]).toEqual(added.mock.calls[0]);
    controller.abort();
    watches.add(STORE, "k", listener, signal);
    watches.apply([stored("k")]);
    expect(listener).not.toHaveBeenCalled();
    expect(added).toHaveBeenCalledTimes(2);
  });

  it("ends with its store, and others go on; a store that has ended gets no new watch", () => {
    const other: WatchOwner = { emit: () => undefined };
    const told = [watching("k"), watching("*"), watching("k", other)];
    watches.endOf(STORE);
    told.push(watching("k"));
    watches.apply([stored("k"), CLEAR]);
    expect(told).toEqual([[], [], ["store k 1", "clear k"], []]);
  });

  it("gets the changes of a key in the order of their versions: those that arrive late are left out", () => {
    const told = watching("k");
    watches.apply([stored("k", 1), deleted("k", 3), stored("l", 1)]);
    watches.apply([stored("k", 2), stored("k", 4), deleted("k", 3)]);
    expect(told).toEqual(["store k 1", "delete k 3", "store k 4"]);
    // A new database begins anew.
    watches.apply([CLEAR, stored("k", 1)]);
    expect(told.slice(3)).toEqual(["clear k", "store k 1"]);
    watches.apply([stored("k", 5), evicted("k"), stored("k", 5)]);
    expect(told.slice(5)).toEqual(["store k 5", "evict k", "store k 5"]);
  });

  it("remembers the versions of the keys that have changed last, not of all", () => {
    const told = watching("k");
    const others = Array.from({ length: 4_096 }, (_, n) => stored(`other${n}`));
    watches.apply([stored("k", 2), ...others, stored("k", 1)]);
    expect(told).toEqual(["store k 2", "store k 1"]);
  });
});

describe("A listener", () => {
  it("that throws does not disturb the others, and its error is reported", () => {
    const reportError = vi.fn<(error: unknown) => void>();
    vi.stubGlobal("reportError", reportError);
    const error = new Error("of the app");
    for (const pattern of ["k", "*"]) {
      watches.add(STORE, pattern, () => {
        throw error;
      });
    }
    const told = [watching("k"), watching("*")];
    watches.apply([stored("k", 1), stored("k", 2)]);
    expect(told).toEqual([
      ["store k 1", "store k 2"],
      ["store k 1", "store k 2"],
    ]);
    expect(reportError.mock.calls).toEqual([[error], [error], [error], [error]]);
  });

  it.each(["k", "*"])("of %s that watches again in the call gets the next change once more, not the same one", (pattern) => {
    let calls = 0;
    const listener = (): void => {
      calls++;
      watches.add(STORE, pattern, listener);
    };
    watches.add(STORE, pattern, listener);
    watches.apply([stored("k", 1)]);
    expect(calls).toBe(1);
    watches.apply([CLEAR]);
    expect(calls).toBe(3);
    watches.apply([stored("k", 2)]);
    expect(calls).toBe(7);
  });

  it("that ends another watch in the call keeps it from the change", () => {
    const ends: (() => void)[] = [];
    const listener = vi.fn<() => void>(() => {
      for (const end of ends) end();
    });
    ends.push(watches.add(STORE, "k", listener), watches.add(STORE, "*", listener), watches.add(STORE, "k", listener));
    watches.apply([stored("k", 1), stored("k", 2)]);
    expect(listener).toHaveBeenCalledTimes(1);
  });
});

it("An owner dispatches one event for each change, however often its dispatching begins, until it ends", () => {
  const emit = vi.fn<WatchOwner["emit"]>();
  const owner: WatchOwner = { emit };
  watches.dispatchTo(owner);
  watches.dispatchTo(owner);
  watches.apply([stored("k", 1)]);
  watches.endOf(owner);
  watches.apply([stored("k", 2)]);
  expect(emit.mock.calls).toEqual([["change", { key: "k", type: "store", source: "tab", version: 1 }]]);
});
