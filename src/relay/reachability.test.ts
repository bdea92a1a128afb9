import { afterEach, describe, expect, it, vi } from "vitest";
import { setUpRelay } from "../testing/relay.ts";

const LOST = new Error("lost");
const REFUSED = new Error("refused");

afterEach(() => void vi.unstubAllGlobals());

describe("A store", () => {
  it("is offline after no connection could be opened, until the next attempt is due", async () => {
    const { clock, reachability } = setUpRelay({ inBackground: false });
    expect(reachability.isOffline).toBe(false);
    reachability.unreachable(REFUSED);
    expect(reachability.isOffline).toBe(true);
    await clock.advance(499);
    expect(reachability.isOffline).toBe(true);
    await clock.advance(1);
    expect(reachability.isOffline).toBe(false);
  });

  it("is online again as soon as a connection was opened", () => {
    const { reachability } = setUpRelay();
    reachability.unreachable(REFUSED);
    reachability.connected();
    expect(reachability.isOffline).toBe(false);
  });

  it("stays offline when an older connection breaks after no new one could be opened", () => {
    const { reachability } = setUpRelay();
    reachability.unreachable(REFUSED);
    reachability.broken(LOST);
    expect(reachability.isOffline).toBe(true);
  });

  it("is not offline when only an open connection has failed", () => {
    const { reachability } = setUpRelay();
    reachability.broken(LOST);
    expect(reachability.isOffline).toBe(false);
  });

  it.each([
    { isLoopback: false, onLine: false, isOffline: true },
    { isLoopback: false, onLine: true, isOffline: false },
    { isLoopback: true, onLine: false, isOffline: false },
  ])("follows navigator.onLine unless all servers are on loopback: %j", ({ isLoopback, onLine, isOffline }) => {
    vi.stubGlobal("navigator", { onLine });
    expect(setUpRelay({ isLoopback }).reachability.isOffline).toBe(isOffline);
  });

  it("is online where there is no navigator", () => {
    vi.stubGlobal("navigator", undefined);
    expect(setUpRelay({ isLoopback: false }).reachability.isOffline).toBe(false);
  });
});

describe("The events of a store", () => {
  it("are one `offline` per failure with the number of pending writes, and one `online`", async () => {
    const { clock, relay, reachability, waiting, setServer, onOffline, onOnline } = setUpRelay();
    setServer(false);
    waiting.push("a", "b");
    await relay.drain();
    await reachability.reported;
    expect(onOffline).toHaveBeenCalledExactlyOnceWith(new Error("nobody there"), 2);
    expect(onOnline).not.toHaveBeenCalled();
    setServer(true);
    await relay.drain();
    await clock.advance(0);
    expect(onOnline).toHaveBeenCalledTimes(1);
  });

  it("are `online` when the server has answered, not when a connection was opened", async () => {
    const { clock, reachability, onOnline } = setUpRelay({ inBackground: false });
    reachability.unreachable(REFUSED);
    reachability.connected();
    await clock.advance(0);
    expect(onOnline).not.toHaveBeenCalled();
    reachability.answered();
    await clock.advance(0);
    expect(onOnline).toHaveBeenCalledExactlyOnceWith(0);
  });

  it("include the last `offline` before a stop resolves, and end there", async () => {
    const { reachability, onOffline } = setUpRelay();
    reachability.broken(LOST);
    await reachability.stop();
    expect(onOffline).toHaveBeenCalledExactlyOnceWith(LOST, 0);
    reachability.broken(LOST);
    await reachability.reported;
    expect(onOffline).toHaveBeenCalledTimes(1);
  });
});

describe("A failure after the server has answered", () => {
  it("begins a first backoff step, however long the step before was", async () => {
    const { clock, reachability } = setUpRelay({ inBackground: false });
    for (let failure = 1; failure <= 8; failure++) {
      await clock.advance(reachability.msUntilDue);
      reachability.unreachable(REFUSED);
    }
    expect(reachability.msUntilDue).toBeGreaterThan(10_000);
    reachability.connected();
    reachability.answered();
    reachability.unreachable(REFUSED);
    expect(reachability.msUntilDue).toBe(500);
  });

  it("keeps the online event of that answer from being dispatched after its offline event", async () => {
    const { clock, reachability, onOffline, onOnline } = setUpRelay({ inBackground: false });
    reachability.unreachable(REFUSED);
    reachability.connected();
    reachability.answered();
    reachability.unreachable(REFUSED);
    await clock.advance(10);
    expect(onOffline).toHaveBeenCalledTimes(2);
    expect(onOnline).not.toHaveBeenCalled();
  });
});
