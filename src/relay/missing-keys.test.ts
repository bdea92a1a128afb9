import { beforeAll, describe, expect, it, vi } from "vitest";
import { FakeClock } from "../testing/fake-clock.ts";
import { newKey } from "../testing/keys.ts";
import { encryptionPart } from "../values/encryption-part.ts";
import type { CryptoKeySource, EncryptionSettings } from "../values/key-source.ts";
import { MissingKeys, type MissingKeysPorts, type WriteWithoutKey } from "./missing-keys.ts";

const FAILING = (): never => {
  throw new Error("locked");
};

beforeAll(() => encryptionPart.load());

function setUp(...sources: CryptoKeySource[]) {
  const clock = new FakeClock();
  const stores: EncryptionSettings[] = sources.map((key) => ({ namespace: "test", encryption: { key } }));
  const settle = vi.fn<MissingKeysPorts["settler"]["settle"]>();
  const onLoaded = vi.fn<() => void>();
  const keys = new MissingKeys({ clock, stores: () => stores, settler: { settle }, onLoaded });
  /** Resolves when the loading under way has ended. */
  const ended = () => keys.loaded(60_000);
  return { clock, stores, settle, onLoaded, keys, ended };
}

/** A queued write that is encrypted with a key. */
async function writeOf(key: CryptoKey, sequence = 1): Promise<WriteWithoutKey> {
  const { encrypterOf } = await encryptionPart.load();
  const encrypter = await encrypterOf({ namespace: "test", encryption: { key } });
  const { stored } = await encrypter.encrypt("k", { format: "text", original: "a", payload: "a" });
  const write = { sequence, key: "k", version: 1, operation: "store" } as const;
  return { instanceId: "me", write, keyId: stored.encryption!.keyId };
}

describe("The keys of queued writes", () => {
  it("load in the background, and the outbox is drained again once there is one", async () => {
    const key = await newKey();
    const { keys, onLoaded, settle, ended } = setUp(await newKey(), async () => key);
    keys.load([await writeOf(key)]);
    expect(onLoaded).not.toHaveBeenCalled();
    expect(await ended()).toBe(true);
    expect(onLoaded).toHaveBeenCalledOnce();
    expect(settle).not.toHaveBeenCalled();
    expect(await ended(), "nothing is loading").toBe(false);
  });

  it("that cannot be loaded leave their writes queued, with the error, which is written once", async () => {
    const { keys, onLoaded, settle, ended, clock } = setUp(await newKey());
    const write = await writeOf(await newKey());
    keys.load([write]);
    expect(await ended()).toBe(false);
    expect(onLoaded).not.toHaveBeenCalled();
    expect(settle).toHaveBeenCalledOnce();
    const [sent, results] = settle.mock.calls[0]!;
    expect(sent).toEqual([write]);
    expect(results).toMatchObject([{ status: "unknown", error: { message: expect.stringMatching(/^DECRYPT_FAILED: /) as string } }]);

    await clock.advance(60_000);
    // Another tab without the key may have written another message.
    keys.load([{ ...write, lastError: "DECRYPT_FAILED: The store has no key." }]);
    await ended();
    expect(settle).toHaveBeenCalledOnce();
  });

  it("load for some writes although those of others fail", async () => {
    const key = await newKey();
    const { keys, onLoaded, settle, ended } = setUp(key);
    const lost = await writeOf(await newKey(), 2);
    keys.load([await writeOf(key), lost]);
    expect(await ended()).toBe(true);
    expect(onLoaded).toHaveBeenCalledOnce();
    expect(settle.mock.calls[0]?.[0]).toEqual([lost]);
  });

  it("are asked for again with backoff, or at once when a store has joined", async () => {
    const source = vi.fn<() => CryptoKey>(FAILING);
    const { keys, ended, clock } = setUp(source);
    const write = await writeOf(await newKey());
    const attempt = async () => {
      keys.load([write]);
      await ended();
      return source.mock.calls.length;
    };
    expect(await attempt()).toBe(1);
    expect(await attempt()).toBe(1);
    await clock.advance(60_000);
    expect(await attempt()).toBe(2);
    expect(await attempt()).toBe(2);
    keys.keysAdded();
    expect(await attempt()).toBe(3);
  });

  it("whose function does not answer delay no other write, and a store that joins may have them", async () => {
    const key = await newKey();
    const { keys, stores, onLoaded, clock } = setUp(() => new Promise<CryptoKey>(() => undefined));
    const write = await writeOf(key);
    keys.load([write]);
    const loaded = keys.loaded(2_000);
    await clock.advance(2_000);
    expect(await loaded).toBe(false);
    stores.push({ namespace: "test", encryption: { key } });
    keys.keysAdded();
    keys.load([write]);
    expect(await keys.loaded(60_000)).toBe(true);
    expect(onLoaded).toHaveBeenCalledOnce();
  });

  it("that load after the end of the engine change nothing", async () => {
    const { keys, settle, onLoaded, ended } = setUp(await newKey(), FAILING);
    keys.load([await writeOf(await newKey())]);
    keys.stop();
    await ended();
    expect(settle).not.toHaveBeenCalled();
    expect(onLoaded).not.toHaveBeenCalled();
  });
});
