import { afterEach, describe, expect, it, vi } from "vitest";

import { lastRevisionOf, rowOf, setUp, stored, WRONG_SEQUENCE, refused } from "../testing/stream-writing.ts";
import { failTransactions } from "../testing/committer.ts";
import { deleteDraft, refusal, storeDraft } from "../testing/drafts.ts";
import { inStream, type Commit } from "../storage/commit/draft.ts";
import { useFreshIndexedDB } from "../testing/indexeddb.ts";

useFreshIndexedDB();

afterEach(() => vi.restoreAllMocks());

describe("A write that is published first", () => {
  it("is committed with the revision of its acknowledgement, and is not in the outbox", async () => {
    const { database, write, transport, events } = setUp();
    expect(await write({ draft: storeDraft("a"), ifRevision: 0 })).toEqual({ status: "fulfilled", value: { existed: false } });
    expect(transport.batches).toMatchObject([
      [{ subject: "_kv.test.key.a", base: 0, headers: { "Nats-Expected-Last-Subject-Sequence": 0 } }],
    ]);
    expect(await rowOf(database, "a")).toMatchObject({ version: 1, revision: 1, payload: '"value"' });
    expect(events).toEqual([["published", { key: "a", version: 1, operation: "store" }]]);
  });

  it("continues the versions of the key, and has the revision that it expects as its base", async () => {
    const { database, write, transport } = setUp();
    await write({ draft: storeDraft("a"), ifRevision: 0 });
    expect(await write({ draft: storeDraft("a", "2"), ifRevision: 1 })).toMatchObject({ value: { existed: true } });
    expect(transport.batches.at(-1)).toMatchObject([{ base: 1 }]);
    expect(await rowOf(database, "a")).toMatchObject({ version: 2, revision: 2 });
  });

  it("has another message id each time", async () => {
    const { write, transport } = setUp();
    await write({ draft: storeDraft("a"), ifRevision: 0 });
    await write({ draft: storeDraft("a"), ifRevision: 1 });
    const ids = transport.ids.flat();
    expect(new Set(ids).size).toBe(2);
    for (const id of ids) expect(id).toMatch(/^[0-9a-f]{32}$/);
  });

  it("removes the row when it is a delete, and keeps the revision of the key", async () => {
    const { database, write } = setUp();
    await write({ draft: storeDraft("a"), ifRevision: 0 });
    expect(await write({ draft: deleteDraft("a"), ifRevision: 1 })).toMatchObject({ value: { existed: true } });
    expect(await rowOf(database, "a")).toBeUndefined();
    expect(await lastRevisionOf(database, "a")).toBe(2);
    await write({ draft: storeDraft("a"), ifRevision: 2 });
    expect(await rowOf(database, "a")).toMatchObject({ version: 3, revision: 3 });
  });

  it.each([
    ["a wrong last sequence", WRONG_SEQUENCE(5), "VERSION_CONFLICT", /Expected revision 0, but the stream has revision 5/],
    ["a wrong last sequence of 0", WRONG_SEQUENCE(0), "VERSION_CONFLICT", /the stream has no message of the key/],
    [
      "a message of the key that is being stored",
      refused(400, 10164, "wrong last sequence"),
      "VERSION_CONFLICT",
      /the stream has another one/,
    ],
    ["no permission", { status: "rejected", error: new Error("Permissions Violation") }, "PUBLISH_REJECTED", /The entry is as it was/],
    ["a message that is too large for the stream", refused(400, 10054, "message size exceeds maximum"), "PUBLISH_REJECTED", /maximum/],
    [
      "no answer",
      { status: "unknown", error: new Error("no answer in time.") },
      "STREAM_UNAVAILABLE",
      /\(no answer in time\)\. The entry is as it was/,
    ],
  ] as const)("leaves the entry as it was after %s", async (_, result, code, message) => {
    const { database, write, transport, events } = setUp();
    transport.answer = () => result;
    const outcome = await write({ draft: storeDraft("a"), ifRevision: 0 });
    expect(outcome).toMatchObject({ status: "rejected", reason: { code, key: "a" } });
    expect((outcome as PromiseRejectedResult).reason).toMatchObject({ message: expect.stringMatching(message) as string });
    expect(await rowOf(database, "a")).toBeUndefined();
    expect(events).toEqual([]);
  });

  it("is not published when its draft refuses, and an error of one write does not stop the others", async () => {
    const { database, writeAll, transport } = setUp();
    transport.answer = (message) => (message.subject.endsWith("b") ? WRONG_SEQUENCE(9) : { status: "confirmed", revision: 10 });
    const outcomes = await writeAll([
      { draft: refusal("refused"), ifRevision: 0 },
      { draft: storeDraft("a"), ifRevision: 0 },
      { draft: storeDraft("b"), ifRevision: 0 },
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(["rejected", "fulfilled", "rejected"]);
    expect(transport.batches).toMatchObject([[{ subject: "_kv.test.key.a" }, { subject: "_kv.test.key.b" }]]);
    expect(await rowOf(database, "a")).toMatchObject({ revision: 10 });
    expect(await rowOf(database, "b")).toBeUndefined();
  });

  it("of an entry that has another revision here is refused when it is made of that entry", async () => {
    const { write, transport } = setUp();
    await write({ draft: storeDraft("a"), ifRevision: 0 });
    const outcome = await write({ draft: storeDraft("a"), ifRevision: 7, isUpdate: true });
    expect(outcome).toMatchObject({
      reason: { code: "VERSION_CONFLICT", message: expect.stringContaining("this browser has revision 1") as string },
    });
    expect(transport.batches).toHaveLength(1);
  });

  it("follows the unconfirmed write of its key", async () => {
    const { committer, write, transport, flush } = setUp({ mayPublish: () => false });
    const [queued] = await committer.commit([storeDraft("a", "1")]);
    flush.mockImplementationOnce(async () => {
      const writeId = queued?.row.writeId ?? ["", 0];
      // The settlement is written a moment later.
      void committer.settle(writeId[0], new Map([[writeId[1], { state: "confirmed", stored: { key: "a", revision: 4 } }]]));
    });
    transport.answer = () => ({ status: "confirmed", revision: 5 });
    expect(await write({ draft: storeDraft("a", "2"), ifRevision: 4, isUpdate: true })).toMatchObject({ value: { existed: true } });
    expect(flush).toHaveBeenCalledOnce();
  });

  it("of an entry whose own write was just confirmed has that revision to compare", async () => {
    const { committer, write } = setUp();
    const [{ row }] = (await committer.commit([storeDraft("a")])) as [Commit];
    void committer.settle(row.writeId[0], new Map([[row.writeId[1], { state: "confirmed", stored: { key: "a", revision: 4 } }]]));
    expect(await write({ draft: storeDraft("a", "2"), ifRevision: 4, isUpdate: true })).toMatchObject({ status: "fulfilled" });
  });

  it("of a deleted key has the revision of the delete to compare", async () => {
    const { write } = setUp();
    await write({ draft: storeDraft("a"), ifRevision: 0 });
    await write({ draft: deleteDraft("a"), ifRevision: 1 });
    expect(await write({ draft: storeDraft("a"), ifRevision: 1, isUpdate: true })).toMatchObject({ reason: { code: "VERSION_CONFLICT" } });
    expect(await write({ draft: storeDraft("a"), ifRevision: 2, isUpdate: true })).toEqual(stored(false));
  });

  it("has the revision that it expects as its base, else that of the entry that it replaces", async () => {
    const { committer, transport, write, writeBatch } = setUp();
    const pulled = { ...storeDraft("a", "1", { revision: 3 }), policy: inStream(1, 3) };
    await committer.commit([pulled]);
    await writeBatch([storeDraft("a")]);
    expect(transport.batches.at(-1)).toMatchObject([{ base: 3 }]);
    await committer.commit([{ ...pulled, policy: inStream(1, 8) }]);
    await write({ draft: storeDraft("a"), ifRevision: 9 });
    expect(transport.batches.at(-1)).toMatchObject([{ base: 9 }]);
  });

  it("of an entry that has expired did not find it", async () => {
    const { committer, write } = setUp();
    await committer.commit([{ ...storeDraft("a", "1", { expiresAt: 1_000, revision: 3 }), policy: inStream(1, 3) }]);
    expect(await write({ draft: deleteDraft("a"), ifRevision: 3 })).toEqual(stored(false));
  });

  it("rejects STREAM_UNAVAILABLE while a write of its key stays unconfirmed", async () => {
    const { committer, database, write, transport } = setUp({ mayPublish: () => false });
    await committer.commit([storeDraft("a", "1")]);
    expect(await write({ draft: storeDraft("a", "2"), ifRevision: 0 })).toMatchObject({ reason: { code: "STREAM_UNAVAILABLE", key: "a" } });
    expect(transport.batches).toEqual([]);
    expect(await rowOf(database, "a")).toMatchObject({ payload: "1" });
  });

  it("does not replace a row that is newer when the acknowledgement comes", async () => {
    const { committer, database, write, transport } = setUp();
    let acknowledge!: () => void;
    transport.held = new Promise((resolve) => (acknowledge = resolve));
    const writing = write({ draft: storeDraft("a", '"first"'), ifRevision: 0 });
    await transport.called(1);
    await committer.commit([storeDraft("a", '"of another tab"')]);
    acknowledge();
    expect(await writing).toMatchObject({ status: "fulfilled" });
    expect(await rowOf(database, "a")).toMatchObject({ payload: '"of another tab"' });
  });

  it("says that the stream has it when the disk is full", async () => {
    const { database, write } = setUp();
    failTransactions(9);
    const outcome = await write({ draft: storeDraft("a"), ifRevision: 0 });
    expect(outcome).toMatchObject({
      reason: { code: "QUOTA_EXCEEDED", message: expect.stringContaining("The stream has the write") as string },
    });
    expect(await rowOf(database, "a")).toBeUndefined();
  });
});

describe("A batch", () => {
  it("has one id, the numbers of its messages and a commit at the end, and no message ids", async () => {
    const { writeBatch, transport } = setUp();
    await writeBatch([storeDraft("a"), storeDraft("b"), storeDraft("c")]);
    const [messages = []] = transport.batches;
    const headers = messages.map((message) => message.headers ?? {});
    expect(messages.map(({ id }) => id)).toEqual(["", "", ""]);
    expect(new Set(headers.map((header) => header["Nats-Batch-Id"])).size).toBe(1);
    expect(headers.map((header) => [header["Nats-Batch-Sequence"], header["Nats-Batch-Commit"]])).toEqual([
      [1, undefined],
      [2, undefined],
      [3, 1],
    ]);
  });

  it("is committed in one transaction, with consecutive revisions", async () => {
    const { database, groups, writeBatch } = setUp();
    const outcomes = await writeBatch([storeDraft("a"), storeDraft("b")]);
    expect(outcomes).toEqual([stored(false), stored(false)]);
    expect(groups.map((commits) => commits.map(({ draft }) => draft.key))).toEqual([["a", "b"]]);
    expect([await rowOf(database, "a"), await rowOf(database, "b")]).toMatchObject([{ revision: 1 }, { revision: 2 }]);
  });

  it("names the item that has lost the race, by the subject of the message that the stream has", async () => {
    const { database, writeBatch, stream, transport } = setUp();
    transport.answer = ({ headers }) => (headers?.["Nats-Batch-Commit"] ? WRONG_SEQUENCE(8) : { status: "confirmed" });
    stream.subjects.set(8, "_kv.test.key.b");
    await expect(writeBatch([storeDraft("a"), storeDraft("b")], [3, 4])).rejects.toMatchObject({ code: "VERSION_CONFLICT", key: "b" });
    stream.subjects.clear();
    await expect(writeBatch([storeDraft("a"), storeDraft("b")], [3, 4])).rejects.toSatisfy(
      (error: { key?: string }) => error.key === undefined,
    );
    expect(await rowOf(database, "a")).toBeUndefined();
  });

  it.each([
    ["its first message", refused(429, 10210, "atomic publish too many inflight"), "STREAM_UNAVAILABLE", /too many inflight/],
    ["its first message for lack of permissions", { status: "rejected", error: new Error("denied") }, "PUBLISH_REJECTED", /denied/],
    ["its size", refused(400, 10199, "atomic publish batch is too large: 10"), "PAYLOAD_TOO_LARGE", /too large/],
  ] as const)("rejects with the reason of the server when that refuses %s", async (_, result, code, message) => {
    const { writeBatch, transport } = setUp();
    const incomplete = refused(400, 10176, "atomic publish batch is incomplete");
    transport.answer = ({ headers }) => (headers?.["Nats-Batch-Sequence"] === 1 ? result : incomplete);
    await expect(writeBatch([storeDraft("a"), storeDraft("b")])).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message) as string,
    });
  });

  it.each([
    ["an old server", { serverVersion: "2.11.9" }, /nats-server 2\.12 or newer; this one is 2\.11\.9/],
    ["a stream without the setting", { allowsBatches: false }, /allow_atomic of the stream "NAS_test"/],
  ] as const)("is not published to %s", async (_, given, message) => {
    const { writeBatch, stream, transport } = setUp();
    Object.assign(stream, given);
    await expect(writeBatch([storeDraft("a")])).rejects.toMatchObject({
      code: "STREAM_UNAVAILABLE",
      message: expect.stringMatching(message) as string,
    });
    expect(transport.batches).toEqual([]);
  });

  it("of more than 1,000 items rejects PAYLOAD_TOO_LARGE", async () => {
    const { writeBatch } = setUp();
    const drafts = Array.from({ length: 1_001 }, (_, index) => storeDraft(`k${index}`));
    await expect(writeBatch(drafts)).rejects.toMatchObject({ code: "PAYLOAD_TOO_LARGE" });
  });

  it("tells the stream when an entry expires only if the stream allows that", async () => {
    const { writeBatch, stream, transport } = setUp();
    const draft = storeDraft("a", "1", { ttl: 60, expiresAt: 1_000_000 });
    stream.allowsTtl = true;
    await writeBatch([draft]);
    stream.allowsTtl = false;
    await writeBatch([draft]);
    expect(transport.batches.map(([message]) => message?.expiresAt)).toEqual([1_000_000, undefined]);
  });
});
