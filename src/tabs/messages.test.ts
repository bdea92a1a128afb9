import { expect, it } from "vitest";
import { toldChanges } from "./messages.ts";

it("other tabs are told of this store's changes without values and sizes, and not of changes that a tab has told", () => {
  expect(
    toldChanges([
      { source: "local", type: "delete", key: "a", version: 2, grew: { entries: -1, bytes: -3 } },
      { source: "tab", type: "delete", key: "b", version: 1 },
      { source: "local", type: "clear" },
      { source: "local", type: "expire", key: "c" },
    ]),
  ).toEqual([{ type: "delete", key: "a", version: 2 }, { type: "clear" }, { type: "expire", key: "c" }]);
});
