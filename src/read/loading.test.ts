import { describe, expect, it } from "vitest";
import type { Change } from "../model/change.ts";
import { compilePattern } from "../model/pattern.ts";
import { Loading } from "./loading.ts";

const loadingOf = (...tags: string[]): Loading => new Loading("k", tags, () => new Promise(() => undefined));

describe("A load of a key", () => {
  it.each<[Change, isOvertaken: boolean]>([
    [{ source: "tab", type: "store", key: "k", version: 2 }, true],
    [{ source: "tab", type: "delete", key: "k", version: 2 }, true],
    [{ source: "tab", type: "clear" }, true],
    [{ source: "tab", type: "delete", key: "other", version: 2 }, false],
    [{ source: "tab", type: "expire", key: "k" }, false],
    [{ source: "tab", type: "evict", key: "k" }, false],
  ])("is overtaken by a change that another value may follow, and not by others: %j", (change, isOvertaken) => {
    const loading = loadingOf();
    loading.apply([change]);
    expect(loading.isOvertaken).toBe(isOvertaken);
  });

  it("stays overtaken after a change of another key", () => {
    const loading = loadingOf();
    loading.apply([{ source: "tab", type: "delete", key: "k", version: 2 }]);
    loading.apply([{ source: "tab", type: "delete", key: "other", version: 2 }]);
    expect(loading.isOvertaken).toBe(true);
  });

  it.each([
    ["k", undefined, true],
    ["*", "t", true],
    ["*", "u", false],
    ["other*", undefined, false],
    ["other*", "t", false],
  ])("is overtaken by an invalidation that covers its key and one of its tags: %s, %s", (pattern, tag, isOvertaken) => {
    const loading = loadingOf("s", "t");
    loading.invalidate(compilePattern(pattern).matches, tag);
    expect(loading.isOvertaken).toBe(isOvertaken);
  });

  it("stays overtaken after an invalidation of other keys", () => {
    const loading = loadingOf();
    loading.invalidate(() => true, undefined);
    loading.invalidate(() => false, undefined);
    expect(loading.isOvertaken).toBe(true);
  });
});
