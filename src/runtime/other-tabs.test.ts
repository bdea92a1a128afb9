import { IDBDatabase } from "fake-indexeddb";
import { describe, expect, it, vi } from "vitest";
import type { TabMessage } from "../tabs/messages.ts";
import { FakeChannel } from "../testing/fake-channel.ts";
import { watchConnections } from "../testing/indexeddb.ts";
import { committed, usePage } from "../testing/stores.ts";

const page = usePage();

describe("The next read after a write of another tab", () => {
  it("returns its value", async () => {
    const [one, other] = [page.open(), page.open()];
    await one.store("k", 1);
    expect(await other.retrieve("k")).toBe(1);
    await one.store("k", 2);
    await FakeChannel.delivered();
    expect(await other.retrieve("k")).toBe(2);
    await one.delete("k");
    await FakeChannel.delivered();
    expect(await other.retrieve("k")).toBeUndefined();
  });

  it("returns its value, even if its message arrives before this tab's own earlier commit is reported", async () => {
    const connections = watchConnections();
    const other = page.open();
    await other.store("another", 0);
    const [theirs] = connections;
    const one = page.open();
    // The browser tells a page of its transaction's end when it comes to it, here only after the other tab's message.
    const { transaction: begin } = IDBDatabase.prototype;
    let overtaking: Promise<boolean> | undefined;
    let overtake = async (): Promise<void> => {
      overtake = async () => undefined;
      // Queued: it waits for the older write, which is being sent.
      overtaking = other.store("k", "newer");
      await committed("k", 2);
      await FakeChannel.delivered();
    };
    vi.spyOn(IDBDatabase.prototype, "transaction").mockImplementation(function (this: IDBDatabase, ...given) {
      const transaction = begin.apply(this, given);
      queueMicrotask(() => {
        const { oncomplete } = transaction;
        if (oncomplete !== null && this !== theirs?.database)
          transaction.oncomplete = (event) => void overtake().then(() => oncomplete.call(transaction, event));
      });
      return transaction;
    });
    await one.store("k", "older");
    expect(await one.retrieve("k")).toBe("newer");
    expect(await overtaking).toBe(true);
  });

  it("returns its value, even if the other tab ended before it sent a message", async () => {
    const [one, other] = [page.open(), page.open()];
    await Promise.all([one.flush(), other.flush()]);
    await one.store("k", "old");
    const post = vi.spyOn(BroadcastChannel.prototype, "postMessage").mockImplementation(() => undefined);
    await other.store("k", "new");
    page.nats.dialling = "refuses";
    await other.close();
    post.mockRestore();
    await page.drained();
    expect(await one.retrieve("k")).toBe("new");
  });

  it("returns its value when another tab has published it, even without a message of its commit", async () => {
    const [one, other] = [page.open(), page.open()];
    await Promise.all([one.flush(), other.flush()]);
    await one.store("k", "old");
    const { postMessage } = BroadcastChannel.prototype;
    vi.spyOn(BroadcastChannel.prototype, "postMessage").mockImplementation(function (this: BroadcastChannel, message: TabMessage) {
      if (message.type !== "changes") postMessage.call(this, message);
    });
    await other.store("k", "new");
    // Its settlement is in the outbox, and the other tabs are told.
    await other.flush();
    await FakeChannel.delivered();
    expect(await one.retrieve("k")).toBe("new");
  });

  it("returns its value when this tab has published it, even without a message", async () => {
    const [one, other] = [page.open(), page.open()];
    await Promise.all([one.flush(), other.flush()]);
    await one.store("k", "old");
    await one.flush();
    // As a page that hides tells nothing any more.
    vi.spyOn(BroadcastChannel.prototype, "postMessage").mockImplementation(() => undefined);
    page.nats.dialling = "refuses";
    expect(await other.store("k", "new")).toBe(false);
    page.nats.dialling = "answers";
    await one.flush();
    expect(page.nats.log).toEqual(["k@1", "k@2"]);
    expect(await one.retrieve("k")).toBe("new");
  });
});
