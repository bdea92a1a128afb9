import { expect, it, vi } from "vitest";
import { ChangeFeed } from "./change-feed.ts";

it("the change feed calls its receivers in the order in which they subscribed", () => {
  const feed = new ChangeFeed();
  const calls: string[] = [];
  feed.subscribe(() => void calls.push("first"));
  feed.subscribe(() => void calls.push("second"));
  feed.emit([{ source: "local", type: "clear" }]);
  expect(calls).toEqual(["first", "second"]);
});

it("a receiver that throws does not keep the others from their call, and its error is reported", () => {
  const reported = vi.fn<(error: unknown) => void>();
  vi.stubGlobal("reportError", reported);
  const feed = new ChangeFeed();
  const error = new Error("a mistake");
  const calls: string[] = [];
  feed.subscribe(() => {
    throw error;
  });
  feed.subscribe(() => void calls.push("second"));
  feed.emit([{ source: "local", type: "clear" }]);
  expect(calls).toEqual(["second"]);
  expect(reported.mock.calls).toEqual([[error]]);
  vi.unstubAllGlobals();
});
