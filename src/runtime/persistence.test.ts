import { describe, expect, it, vi } from "vitest";
import { usePage } from "../testing/stores.ts";

const page = usePage();

describe("The option persist", () => {
  it.each([
    ["once, with the first write, where it is set", true, 1],
    ["never where it is not set", false, 0],
  ])("asks the browser %s", async (_, persist, times) => {
    const ask = vi.fn<() => Promise<boolean>>().mockRejectedValue(new Error("not now"));
    Object.assign(page.navigator, { storage: { persist: ask, estimate: async () => ({}) } });
    const store = page.open({ persist });
    await store.retrieve("k");
    expect(ask).not.toHaveBeenCalled();
    for (let n = 0; n < 3; n++) expect(await store.store("k", n)).toBe(true);
    expect(ask).toHaveBeenCalledTimes(times);
  });

  it("asks the browser with the first import, too", async () => {
    const persist = vi.fn<() => Promise<boolean>>().mockResolvedValue(true);
    Object.assign(page.navigator, { storage: { persist, estimate: async () => ({}) } });
    await page.open({ persist: true }).import([]);
    expect(persist).toHaveBeenCalledTimes(1);
  });

  it("changes nothing in a browser without navigator.storage", async () => {
    expect(await page.open({ persist: true }).store("k", 1)).toBe(true);
  });
});
