import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { FakeClock } from "../testing/fake-clock.ts";
import { deferred } from "../testing/fake-connection.ts";
import { FakeLocks } from "../testing/fake-locks.ts";
import { BackgroundPull } from "./background-pull.ts";

const LOCK = "db/pull";
const EVERY_MS = 5_000;

let clock: FakeClock;
let locks: FakeLocks;
let events: EventTarget;
const started: BackgroundPull[] = [];

beforeEach(() => {
  clock = new FakeClock();
  locks = new FakeLocks();
  events = new EventTarget();
  vi.stubGlobal("navigator", { locks });
  vi.stubGlobal("addEventListener", events.addEventListener.bind(events));
});
afterEach(async () => {
  await Promise.all(started.splice(0).map((tab) => tab.stop()));
  vi.unstubAllGlobals();
});

/** A tab that pulls. Each tab has a document of its own while it starts, unless it is a worker. */
function openTab(given: { isVisible?: boolean; isWorker?: boolean; pull?: (signal: AbortSignal) => Promise<unknown> } = {}) {
  const { isVisible = true, isWorker = false, pull = async () => undefined } = given;
  const pulls = vi.fn<(signal: AbortSignal) => Promise<unknown>>(pull);
  const page = Object.assign(new EventTarget(), { visibilityState: isVisible ? "visible" : "hidden" });
  const inTab = (work: () => void): void => {
    vi.stubGlobal("document", isWorker ? undefined : page);
    work();
  };
  const tab = new BackgroundPull({ clock, lock: LOCK, everyMs: EVERY_MS, pull: pulls });
  started.push(tab);
  inTab(() => tab.start());
  const show = (visibilityState: string): Promise<void> => {
    page.visibilityState = visibilityState;
    inTab(() => page.dispatchEvent(new Event("visibilitychange")));
    return clock.advance(0);
  };
  return { tab, pulls, inTab, hide: () => show("hidden"), show: () => show("visible") };
}

describe("A visible tab", () => {
  it("pulls at once, and again after each interval", async () => {
    const { pulls } = openTab();
    await clock.advance(0);
    expect(pulls).toHaveBeenCalledTimes(1);
    await clock.advance(EVERY_MS - 1);
    expect(pulls).toHaveBeenCalledTimes(1);
    await clock.advance(1);
    expect(pulls).toHaveBeenCalledTimes(2);
    await clock.advance(3 * EVERY_MS);
    expect(pulls).toHaveBeenCalledTimes(5);
  });

  it("pulls again after a pull that fails", async () => {
    const { pulls } = openTab({ pull: () => Promise.reject(new Error("no stream")) });
    await clock.advance(2 * EVERY_MS);
    expect(pulls).toHaveBeenCalledTimes(3);
  });

  it("begins the interval when a pull has ended, however long it takes", async () => {
    const slow = deferred<void>();
    const { pulls } = openTab({ pull: () => slow.promise });
    await clock.advance(10 * EVERY_MS);
    expect(pulls).toHaveBeenCalledTimes(1);
    slow.resolve();
    await clock.advance(EVERY_MS - 1);
    expect(pulls).toHaveBeenCalledTimes(1);
    await clock.advance(1);
    expect(pulls).toHaveBeenCalledTimes(2);
  });

  it("pulls when the browser is online again, also when that happens during a pull", async () => {
    const slow = deferred<void>();
    const { pulls } = openTab({ pull: () => slow.promise });
    await clock.advance(0);
    events.dispatchEvent(new Event("online"));
    await clock.advance(0);
    expect(pulls).toHaveBeenCalledTimes(1);
    slow.resolve();
    await clock.advance(0);
    expect(pulls).toHaveBeenCalledTimes(2);
    events.dispatchEvent(new Event("online"));
    await clock.advance(0);
    expect(pulls).toHaveBeenCalledTimes(3);
    expect(clock.timers).toBe(1);
  });

  it("keeps the lock, so that no other tab pulls, and leaves it to another one when it is hidden", async () => {
    const [first, second] = [openTab(), openTab()];
    await clock.advance(2 * EVERY_MS);
    expect([first.pulls.mock.calls.length, second.pulls.mock.calls.length]).toEqual([3, 0]);
    await first.hide();
    expect([first.pulls.mock.calls.length, second.pulls.mock.calls.length]).toEqual([3, 1]);
    await first.show();
    await clock.advance(EVERY_MS);
    expect([first.pulls.mock.calls.length, second.pulls.mock.calls.length]).toEqual([3, 2]);
    await second.tab.stop();
    await clock.advance(0);
    expect([first.pulls.mock.calls.length, second.pulls.mock.calls.length]).toEqual([4, 2]);
  });

  it("aborts the pull under way when it is hidden, and gives the lock back before that has ended", async () => {
    const slow = deferred<void>();
    const { pulls, hide, show } = openTab({ pull: () => slow.promise });
    await clock.advance(0);
    await hide();
    await locks.free(LOCK);
    expect(pulls.mock.calls[0]?.[0].aborted).toBe(true);
    await show();
    expect(pulls).toHaveBeenCalledTimes(1);
    slow.resolve();
    await clock.advance(0);
    expect(pulls).toHaveBeenCalledTimes(2);
    expect(pulls.mock.calls[1]?.[0].aborted).toBe(false);
  });

  it("gives the lock back when its page enters the back/forward cache, and pulls when it returns", async () => {
    const { pulls, inTab } = openTab();
    await clock.advance(0);
    inTab(() => events.dispatchEvent(new Event("pagehide")));
    await locks.free(LOCK);
    await clock.advance(5 * EVERY_MS);
    expect(pulls).toHaveBeenCalledTimes(1);
    inTab(() => events.dispatchEvent(new Event("pageshow")));
    await clock.advance(0);
    expect(pulls).toHaveBeenCalledTimes(2);
  });
});

it("A hidden tab does not pull until it is visible", async () => {
  const { pulls, show } = openTab({ isVisible: false });
  await clock.advance(3 * EVERY_MS);
  expect(pulls).not.toHaveBeenCalled();
  await show();
  expect(pulls).toHaveBeenCalledTimes(1);
});

it("A worker pulls as a visible tab does", async () => {
  const { pulls } = openTab({ isWorker: true });
  await clock.advance(EVERY_MS);
  expect(pulls).toHaveBeenCalledTimes(2);
});

describe("stop", () => {
  it("aborts the pull under way, waits for its end, and ends everything", async () => {
    const slow = deferred<void>();
    const { tab, pulls, show } = openTab({ pull: () => slow.promise });
    await clock.advance(0);
    const stopping = tab.stop();
    expect(pulls.mock.calls[0]?.[0].aborted).toBe(true);
    const stopped = vi.fn<() => void>();
    void stopping.then(stopped);
    await clock.advance(0);
    expect(stopped).not.toHaveBeenCalled();
    slow.resolve();
    await stopping;
    events.dispatchEvent(new Event("online"));
    await show();
    await clock.advance(3 * EVERY_MS);
    expect(pulls).toHaveBeenCalledTimes(1);
    expect(clock.timers).toBe(0);
  });

  it("ends the wait for the lock", async () => {
    const first = openTab();
    const second = openTab();
    await second.tab.stop();
    await first.tab.stop();
    await clock.advance(EVERY_MS);
    expect(second.pulls).not.toHaveBeenCalled();
  });

  it("does nothing in a tab that has not started", async () => {
    const pull = vi.fn<() => Promise<void>>();
    await new BackgroundPull({ clock, lock: LOCK, everyMs: EVERY_MS, pull }).stop();
    expect(pull).not.toHaveBeenCalled();
  });
});

it.each([
  ["has no Web Locks", undefined],
  ["forbids Web Locks", { request: () => Promise.reject(Object.assign(new Error("forbidden"), { name: "SecurityError" })) }],
])("A tab whose browser %s pulls as if it were alone", async (_, manager) => {
  vi.stubGlobal("navigator", { locks: manager });
  const { pulls } = openTab();
  await clock.advance(EVERY_MS);
  expect(pulls).toHaveBeenCalledTimes(2);
});
