import { expect, it } from "vitest";
import { ChangeFeed } from "./change-feed.ts";

it("the change feed calls its receivers in the order in which they subscribed", () => {
  const feed = new ChangeFeed();
  const calls: string[] = [];
  feed.subscribe(() => void calls.push("first"));
  feed.subscribe(() => void calls.push("second"));
  feed.emit([{ source: "local", type: "clear" }]);
  expect(calls).toEqual(["first", "second"]);
});
