import { IDBTransaction } from "fake-indexeddb";
import { afterEach, expect, it, vi } from "vitest";
import { FakeChannel } from "../testing/fake-channel.ts";
import { watchConnections } from "../testing/indexeddb.ts";
import { DATABASE, usePage } from "../testing/stores.ts";
import { SMALL_BYTES, smallHash } from "../values/sha256.ts";

const page = usePage();

afterEach(() => {
  smallHash.maxBytes = SMALL_BYTES;
});

const leave = (persisted: boolean): void => void page.events.dispatchEvent(Object.assign(new Event("pagehide"), { persisted }));

it("A page that ends keeps its connection to the database and its channel, so that its last writes can commit", async () => {
  const connections = watchConnections();
  const store = page.open();
  await store.store("k", 1);
  leave(false);
  expect(await store.store("draft", 1)).toBe(true);
  expect(connections).toHaveLength(1);
  expect(FakeChannel.openOn(DATABASE)).toBe(1);
});

it("A page that ends commits a transaction without waiting for the results of its requests, until it returns", async () => {
  const store = page.open();
  await store.store("k", 1);
  const commit = vi.spyOn(IDBTransaction.prototype, "commit");
  await store.store("k", 2);
  expect(commit).not.toHaveBeenCalled();
  leave(true);
  expect(await store.store("draft", 1)).toBe(true);
  expect(await store.store("k", 3)).toBe(true);
  expect(commit).toHaveBeenCalled();
  page.events.dispatchEvent(Object.assign(new Event("pageshow"), { persisted: true }));
  await store.flush();
  commit.mockClear();
  await store.store("k", 4);
  expect(commit).not.toHaveBeenCalled();
  expect(await store.retrieve("draft", { useCache: false })).toBe(1);
});

it("A page that ends hashes without WebCrypto, whose result it may not live to receive, until it returns", async () => {
  const store = page.open();
  const digest = vi.mocked(crypto.subtle.digest);
  const large = "x".repeat(5000);
  await store.store("k", large);
  digest.mockClear();
  leave(true);
  await store.store("draft", large);
  expect(digest).not.toHaveBeenCalled();
  page.events.dispatchEvent(Object.assign(new Event("pageshow"), { persisted: true }));
  await store.store("k", large);
  expect(digest).toHaveBeenCalled();
  expect(await store.retrieve("draft", { useCache: false })).toBe(large);
});

it("A page that ends opens no connection before its commit", async () => {
  const store = page.open();
  await store.store("k", 1);
  await store.flush();
  await page.nats.closed();
  const { dials } = page.nats;
  const dialsAtCommit: number[] = [];
  const { commit } = IDBTransaction.prototype;
  vi.spyOn(IDBTransaction.prototype, "commit").mockImplementation(function (this: globalThis.IDBTransaction) {
    dialsAtCommit.push(page.nats.dials);
    commit.call(this);
  });
  leave(false);
  expect(await store.store("draft", 1)).toBe(true);
  expect(dialsAtCommit[0]).toBe(dials);
});

it("A page that enters the back/forward cache releases the database after `visibilitychange`, in which apps store drafts", async () => {
  vi.stubGlobal("document", Object.assign(new EventTarget(), { visibilityState: "visible" }));
  const connections = watchConnections();
  const store = page.open();
  await store.store("k", 1);
  leave(true);
  expect(await store.store("draft", 1)).toBe(true);
  expect(connections).toHaveLength(1);
  expect(FakeChannel.openOn(DATABASE)).toBe(1);
  page.events.dispatchEvent(new Event("visibilitychange"));
  expect(FakeChannel.openOn(DATABASE)).toBe(0);
  expect(await store.retrieve("draft", { useCache: false })).toBe(1);
  expect(connections).toHaveLength(2);
});

it("A page that returned without a `visibilitychange` before does not release anything when it is hidden later", async () => {
  vi.stubGlobal("document", Object.assign(new EventTarget(), { visibilityState: "visible" }));
  const store = page.open();
  await store.store("k", 1);
  leave(true);
  page.events.dispatchEvent(Object.assign(new Event("pageshow"), { persisted: true }));
  page.events.dispatchEvent(new Event("visibilitychange"));
  expect(FakeChannel.openOn(DATABASE)).toBe(1);
});
