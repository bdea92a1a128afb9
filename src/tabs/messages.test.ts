import { expect, it } from "vitest";
import { toldChanges } from "./messages.ts";

it("Other tabs receive the changes of this page without values and sizes, and no changes that came from a tab", () => {
  expect(
    toldChanges([
      { source: "local", type: "delete", key: "a", version: 2, grew: { entries: -1, bytes: -3 } },
      { source: "tab", type: "delete", key: "b", version: 1 },
      { source: "local", type: "clear" },
      { source: "local", type: "expire", key: "c" },
    ]),
  ).toEqual([{ type: "delete", key: "a", version: 2 }, { type: "clear" }, { type: "expire", key: "c" }]);
});
