import { expect, test } from "./support/fixtures.ts";

test.describe("listKeys", () => {
  test("listKeys matches patterns as fnmatch does", async ({ page, openStore }) => {
    await openStore();
    const lists = await page.evaluate(async () => {
      await store.bulkStore(
        Object.fromEntries(["a", "a1", "a2", "ab", "b1", "A1", "a[1]", "a*", "a\\b", "😀", "😀x", ".hidden", "x/y"].map((key) => [key, 1])),
      );
      const patterns = [
        "a?",
        "a[12]",
        "a[!12]",
        "[a-b]1",
        "*1",
        "?",
        "a[[]1]",
        "a[*]",
        "a\\b",
        "[]",
        "[!]",
        "a[",
        "[z-a]",
        "",
        "😀*",
        "*d*n",
        "x*y",
        "**",
      ];
      return Object.fromEntries(await Promise.all(patterns.map(async (pattern) => [pattern, await store.listKeys(pattern)] as const)));
    });
    expect(lists).toEqual({
      "a?": ["a*", "a1", "a2", "ab"],
      "a[12]": ["a1", "a2"],
      "a[!12]": ["a*", "ab"],
      "[a-b]1": ["a1", "b1"],
      "*1": ["A1", "a1", "b1"],
      "?": ["a", "😀"],
      "a[[]1]": ["a[1]"],
      "a[*]": ["a*"],
      "a\\b": ["a\\b"],
      "[]": [],
      "[!]": [],
      "a[": [],
      "[z-a]": [],
      "": [],
      "😀*": ["😀", "😀x"],
      "*d*n": [".hidden"],
      "x*y": ["x/y"],
      "**": [".hidden", "A1", "a", "a*", "a1", "a2", "a[1]", "a\\b", "ab", "b1", "x/y", "😀", "😀x"],
    });
  });

  test("listKeys combines a pattern with a tag", async ({ page, openStore }) => {
    await openStore();
    const lists = await page.evaluate(async () => {
      await store.store("user:1", 1, { tags: ["vip", "new"] });
      await store.store("user:2", 1, { tags: ["new"] });
      await store.store("order:1", 1, { tags: ["vip"] });
      await store.update("user:2", 2, { tags: ["old"] });
      return {
        userVip: await store.listKeys("user:*", { tag: "vip" }),
        vip: await store.listKeys("*", { tag: "vip" }),
        new: await store.listKeys("*", { tag: "new" }),
        vi: await store.listKeys("*", { tag: "vi" }),
      };
    });
    expect(lists).toEqual({ userVip: ["user:1"], vip: ["order:1", "user:1"], new: ["user:1"], vi: [] });
  });
});
