import { promisifyRequest } from "idb-keyval";
import { afterEach, describe, expect, it, vi } from "vitest";

import type { EntryRow } from "../model/row.ts";
import { CONFIRMED, FAILED } from "../testing/committer.ts";
import { deleteDraft, storeDraft } from "../testing/drafts.ts";
import { allOutbox, allRows, fillStorage, useFreshIndexedDB } from "../testing/indexeddb.ts";
import { DirectGetStream, setUpPull } from "../testing/pulling.ts";
import { KeyStoreError } from "../util/errors.ts";
import { META, PULLED } from "../storage/idb/schema.ts";
import { pull } from "./pull.ts";
import { caught, codeOf } from "../testing/errors.ts";

useFreshIndexedDB();
afterEach(() => vi.restoreAllMocks());

const idOf = ({ row }: { row: { writeId: readonly unknown[] } }): string => row.writeId.join("-");

function filled(count: number): DirectGetStream {
  const stream = new DirectGetStream();
  for (let n = 1; n <= count; n++) stream.store(`k${n}`, n);
  return stream;
}

describe("A pull", () => {
  it("commits batch after batch, and remembers the last one that is committed", async () => {
    const stream = filled(25);
    stream.batch = 10;
    const browser = setUpPull(stream);
    const progress: number[][] = [];
    const result = await browser.pull({ onProgress: (...figures) => progress.push(figures) });
    expect(result).toEqual({ applied: 25, deleted: 0, skipped: 0, rejected: 0, revision: 25 });
    expect(progress).toEqual([
      [10, 25],
      [20, 25],
      [25, 25],
    ]);
    expect(stream.requests).toEqual([{ seq: 1 }, { seq: 11 }, { seq: 21 }]);
    expect(await browser.remembered()).toMatchObject({ stream: "S", created: "first", sequences: new Map([["*", 25]]), again: [] });
    expect(browser.ports.state.pulledTo).toBe(25);
  });

  it("goes on after a lost connection where the last committed batch ended", async () => {
    const stream = filled(30);
    stream.batch = 10;
    const browser = setUpPull(stream);
    stream.onDelivery = (sequence) => {
      if (sequence === 25) throw new Error("The connection was lost.");
    };
    expect(await codeOf(() => browser.pull())).toBe("STREAM_UNAVAILABLE");
    expect(Object.keys(await allRows(browser.database))).toHaveLength(20);
    expect((await browser.remembered())?.sequences.get("*")).toBe(20);
    stream.onDelivery = () => undefined;
    expect(await browser.pull()).toMatchObject({ applied: 10, skipped: 0, revision: 30 });
  });

  it("ends with the signal's reason between and during batches, and keeps what is committed", async () => {
    for (const at of [11, 15]) {
      const stream = filled(30);
      stream.batch = 10;
      const browser = setUpPull(stream);
      await browser.database.run([META], "readwrite", (transaction) => void transaction.objectStore(META).delete(PULLED));
      const controller = new AbortController();
      const reason = new Error("enough");
      stream.onDelivery = (sequence) => sequence === at && controller.abort(reason);
      expect(await caught(() => browser.pull({ signal: controller.signal }))).toBe(reason);
      expect((await browser.remembered())?.sequences.get("*") ?? 0).toBeLessThanOrEqual(10);
    }
  });

  it("remembers nothing of a batch that the disk did not take", async () => {
    const stream = filled(20);
    const browser = setUpPull(stream);
    await browser.remembered();
    const restore = fillStorage();
    expect(await codeOf(() => browser.pull())).toBe("QUOTA_EXCEEDED");
    restore();
    expect(await browser.remembered()).toBeUndefined();
    expect(await browser.pull()).toMatchObject({ applied: 20, revision: 20 });
  });

  it("remembers nothing where the database was deleted meanwhile: the next pull brings everything", async () => {
    const stream = filled(30);
    stream.batch = 10;
    const browser = setUpPull(stream);
    let deleted: Promise<unknown> | undefined;
    stream.onDelivery = (sequence) => {
      if (sequence === 25) deleted = promisifyRequest(indexedDB.deleteDatabase("nas-keystore/test") as unknown as IDBRequest);
    };
    await browser.pull().catch(() => undefined);
    await deleted;
    stream.onDelivery = () => undefined;
    await browser.pull();
    expect(Object.keys(await allRows(browser.database))).toHaveLength(30);
  });

  it("rejects when one batch cannot be committed, and remembers none after it", async () => {
    const stream = filled(30);
    stream.batch = 10;
    const browser = setUpPull(stream);
    const full = new KeyStoreError("QUOTA_EXCEEDED", "The disk is full.");
    vi.spyOn(browser.committer, "commit").mockRejectedValueOnce(full);
    expect(await caught(() => browser.pull())).toBe(full);
    expect((await browser.remembered())?.sequences.get("*") ?? 0).toBe(0);
    expect(await browser.pull()).toMatchObject({ revision: 30 });
    expect(Object.keys(await allRows(browser.database))).toHaveLength(30);
  });

  it("rejects when its progress cannot be remembered", async () => {
    const stream = filled(1);
    const browser = setUpPull(stream);
    const lost = new KeyStoreError("STORAGE_UNAVAILABLE", "The database is gone.");
    const run = browser.database.run.bind(browser.database);
    stream.onDelivery = () => {
      vi.spyOn(browser.database, "run").mockImplementation((tables, mode, ...rest) =>
        tables.includes(META) && mode === "readwrite" ? Promise.reject(lost) : run(tables, mode, ...rest),
      );
    };
    expect(await caught(() => browser.pull())).toBe(lost);
  });

  it("of a pattern counts foreign messages, and does not say that this browser has all keys", async () => {
    const stream = filled(3);
    stream.publish("_kv.test.key.two.tokens", "foreign");
    const browser = setUpPull(stream);
    expect(await browser.pull({ pattern: "k[12]" })).toEqual({ applied: 2, deleted: 0, skipped: 0, rejected: 1, revision: 4 });
    expect(browser.ports.state.pulledTo).toBe(0);
    expect(await browser.pull({ full: true })).toMatchObject({ applied: 1, skipped: 2, rejected: 1 });
    expect(await browser.pull({ full: true })).toMatchObject({ applied: 0, skipped: 3, rejected: 1 });
  });

  it("has the revision of a message that was published meanwhile, if it has brought that", async () => {
    const stream = filled(2);
    stream.batch = 1;
    const browser = setUpPull(stream);
    stream.onDelivery = (sequence) => void (sequence === 1 && stream.store("late", 1));
    expect(await browser.pull()).toMatchObject({ applied: 3, revision: 3 });
  });

  it("comes after an earlier one of the page, and asks the browser to keep the storage", async () => {
    const browser = setUpPull(filled(3));
    const persist = vi.fn<() => void>();
    const pulls = [1, 2].map(() => pull({ ...browser.ports, persist }, {}));
    expect(await Promise.all(pulls)).toMatchObject([{ applied: 3 }, { applied: 0, skipped: 0 }]);
    expect(persist).toHaveBeenCalledTimes(2);
  });

  it("transfers the changes only, and asks the leader for what a late replica lacks", async () => {
    const stream = filled(10);
    const browser = setUpPull(stream);
    await browser.pull();
    stream.store("k1", "new");
    stream.delete("k2", 2);
    stream.requests.length = 0;
    stream.replicaHas = 11;
    expect(await browser.pull()).toMatchObject({ applied: 1, deleted: 1, skipped: 0, revision: 12 });
    expect(stream.requests[0]).toEqual({ seq: 11 });
    expect((await browser.remembered())?.sequences.get("*")).toBe(12);
  });

  it("begins again with a stream that was created again, and forgets the revisions of the old one", async () => {
    const stream = filled(40);
    const browser = setUpPull(stream);
    await browser.pull();
    stream.createAgain();
    expect(await browser.pull()).toMatchObject({ skipped: 0, revision: 0 });
    expect(browser.ports.state.pulledTo).toBe(0);
    stream.store("k40", "new", { version: 1 });
    expect(await browser.pull()).toMatchObject({ applied: 1, revision: 1 });
    const rows = (await allRows(browser.database)) as Record<string, EntryRow>;
    expect([rows["k40"]?.revision, rows["k1"]?.revision]).toEqual([1, undefined]);
    stream.store("k1", "newer", { version: 1 });
    expect(await browser.pull()).toMatchObject({ applied: 1, revision: 2 });
  });

  it("forgets the revisions of a stream that was created again before the first pull", async () => {
    const stream = filled(40);
    const browser = setUpPull(stream);
    const commit = await browser.commit(storeDraft("k1", '"mine"'));
    await browser.settle(commit, { state: "confirmed", stored: { key: "k1", revision: 40 } });
    stream.createAgain();
    stream.store("k1", "theirs", { version: 1 });
    expect(await browser.pull()).toMatchObject({ applied: 1, skipped: 0 });
  });

  it("treats a marker of the server as a delete, and a delete without a version as the next one", async () => {
    const stream = filled(2);
    const browser = setUpPull(stream);
    await browser.pull();
    stream.publish("_kv.test.key.k1", "", { "Nats-Marker-Reason": "MaxAge" });
    stream.delete("k2");
    expect(await browser.pull()).toMatchObject({ deleted: 2, rejected: 0 });
    expect(Object.keys(await allRows(browser.database))).toEqual([]);
  });
});

describe("A pull and the writes of this browser", () => {
  it("leaves an unconfirmed write, and looks at its key again with the next pull", async () => {
    const stream = filled(1);
    const browser = setUpPull(stream);
    const commit = await browser.commit(storeDraft("k1", '"mine"'));
    await browser.settle(commit, FAILED);
    expect(await browser.pull()).toMatchObject({ applied: 0, skipped: 1 });
    expect((await browser.remembered())?.again).toEqual(["k1"]);
    // It had been published before the message that was skipped, and its acknowledgement comes late.
    await browser.settle(commit, { ...CONFIRMED, state: "confirmed", stored: { key: "k1", revision: 0 } });
    expect(await browser.pull()).toMatchObject({ applied: 1, skipped: 0 });
    expect((await browser.remembered())?.again).toEqual([]);
  });

  it("remembers the keys of all batches that it looks at again", async () => {
    const stream = filled(4);
    stream.batch = 1;
    const browser = setUpPull(stream);
    const keys = ["k1", "k2", "k3", "k4"];
    for (const key of keys) await browser.settle(await browser.commit(storeDraft(key, '"mine"')), FAILED);
    // The progress of the first batch is written once the last one is committed.
    let committed!: () => void;
    const allCommitted = new Promise<void>((resolve) => (committed = resolve));
    const run = browser.database.run.bind(browser.database);
    stream.onDelivery = () => {
      vi.spyOn(browser.database, "run").mockImplementation((tables, mode, ...rest) =>
        tables.includes(META) && mode === "readwrite" ? allCommitted.then(() => run(tables, mode, ...rest)) : run(tables, mode, ...rest),
      );
    };
    await browser.pull({ onProgress: (done) => done === 4 && committed() });
    expect((await browser.remembered())?.again).toEqual(keys);
  });

  it("leaves a write that is being sent to its acknowledgement, though the stream has it", async () => {
    const stream = new DirectGetStream();
    const browser = setUpPull(stream);
    const commit = await browser.commit(storeDraft("a"));
    stream.store("a", "value", {}, { "Nats-Msg-Id": idOf(commit) });
    expect(await browser.pull()).toMatchObject({ applied: 0, skipped: 1 });
    expect(await allOutbox(browser.database)).toHaveLength(1);
    expect(browser.emit).not.toHaveBeenCalled();
  });

  it("confirms a queued write that the stream has", async () => {
    const stream = new DirectGetStream();
    const browser = setUpPull(stream);
    const commits = [await browser.commit(storeDraft("a")), await browser.commit(deleteDraft("b"))];
    for (const commit of commits) await browser.settle(commit, FAILED);
    stream.store("a", "value", {}, { "Nats-Msg-Id": idOf(commits[0]!) });
    stream.delete("b", 1, { "Nats-Msg-Id": idOf(commits[1]!) });
    browser.groups.length = 0;
    expect(await browser.pull()).toMatchObject({ applied: 0, deleted: 0, skipped: 2 });
    expect(await allOutbox(browser.database)).toEqual([]);
    // The delete of an absent key changes nothing.
    expect(browser.groups.flat().filter(({ draft, replaced }) => draft.key === "a" || replaced !== undefined)).toEqual([]);
    expect(browser.emit.mock.calls.map(([type]) => type)).toEqual(["published", "published"]);
    expect((await browser.remembered())?.again).toEqual([]);
  });

  it("does not take a message of another client for a queued write, whatever its id is", async () => {
    const stream = new DirectGetStream();
    const browser = setUpPull(stream);
    const commit = await browser.commit(storeDraft("a"));
    await browser.settle(commit, FAILED);
    stream.store("a", "theirs", { version: 7 }, { "Nats-Msg-Id": idOf(commit) });
    stream.store("b", "theirs", {}, { "Nats-Msg-Id": idOf(commit) });
    expect(await browser.pull()).toMatchObject({ applied: 1, skipped: 1 });
    stream.delete("a", 1, { "Nats-Msg-Id": idOf(commit) });
    expect(await browser.pull()).toMatchObject({ deleted: 0 });
    expect(await allOutbox(browser.database)).toHaveLength(1);
  });

  it("reports a conflict once the stream's entry is committed; a value that cannot be read is undefined", async () => {
    const stream = new DirectGetStream();
    const browser = setUpPull(stream);
    for (const key of ["a", "b"]) {
      const commit = await browser.commit(storeDraft(key, '"mine"', key === "a" ? {} : { checksum: "0".repeat(64) }));
      await browser.settle(commit, { state: "confirmed", stored: { key, revision: stream.store(key, "mine") } });
      stream.store(key, "theirs", {}, { "Nas-Base": "0" });
    }
    await browser.pull();
    const conflicts = vi.mocked(browser.emit).mock.calls.filter(([type]) => type === "conflict");
    expect(conflicts.map(([, detail]) => detail)).toMatchObject([
      { key: "a", lost: "mine", metadata: { revision: 1 } },
      { key: "b", lost: undefined, metadata: { revision: 3 } },
    ]);
  });

  it("reports the conflicts of what is committed, though the disk does not take the rest", async () => {
    const stream = new DirectGetStream();
    const browser = setUpPull(stream);
    const commit = await browser.commit(storeDraft("a", '"mine"'));
    await browser.settle(commit, { state: "confirmed", stored: { key: "a", revision: stream.store("a", "mine") } });
    stream.store("a", "theirs", {}, { "Nas-Base": "0" });
    for (let n = 1; n < 300; n++) stream.store(`k${n}`, n);
    const { committer } = browser.ports;
    const commitDrafts = committer.commit.bind(committer);
    const full = new KeyStoreError("QUOTA_EXCEEDED", "full");
    vi.spyOn(committer, "commit").mockImplementation(async (drafts, ...rest) => {
      if (drafts.some(({ key }) => key === "k299")) throw full;
      return commitDrafts(drafts, ...rest);
    });
    expect(await caught(() => browser.pull())).toBe(full);
    expect(browser.emit.mock.calls.filter(([type]) => type === "conflict")).toMatchObject([["conflict", { key: "a", lost: "mine" }]]);
  });

  it("does not bring back an entry whose delete another tab has pulled", async () => {
    const stream = new DirectGetStream();
    stream.store("a", 1);
    const browser = setUpPull(stream);
    const late = setUpPull(stream);
    // The other tab pulls the delete while this one has read the entry.
    let others: Promise<unknown> = Promise.resolve();
    stream.onDelivery = () => {
      stream.onDelivery = () => undefined;
      stream.delete("a", 2);
      others = browser.pull();
    };
    await Promise.all([late.pull(), others]);
    await others;
    await late.pull();
    expect(Object.keys(await allRows(browser.database))).toEqual([]);
  });
});
