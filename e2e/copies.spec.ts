import { expect, reload, test } from "./support/fixtures.ts";

test.describe("copies", () => {
  const cases = {
    "a json": { format: "json", fresh: "first" },
    "the page's first structured": { format: "structured", fresh: "first" },
    "a later structured": { format: "structured", fresh: "later" },
    "a binary": { format: "binary", fresh: "first" },
  } as const;

  for (const [name, { format, fresh }] of Object.entries(cases)) {
    for (const operation of ["store", "update", "update with a format", "bulkStore"] as const) {
      test(`${operation} captures ${name} value during the call`, async ({ page, openStore, wire }) => {
        await openStore();
        const sent = fresh === "later" ? 2 : 1;
        const before = fresh === "later" ? 1 : 0;
        const seen = await page.evaluate(
          async ([format, operation, before]) => {
            if (before === 1) await store.store("earlier", new Map(), { format: "structured" });
            if (operation === "update") await store.store("k", format === "binary" ? new Uint8Array(1) : 0, { format });
            const bytes = Uint8Array.of(1, 2, 3);
            const object = { list: [1], inner: { a: 1 }, ...(format === "structured" ? { map: new Map([["a", { b: 1 }]]), bytes } : {}) };
            const value = format === "binary" ? bytes : object;

            let stored: Promise<unknown>;
            if (operation === "store") stored = store.store("k", value, { format });
            else if (operation === "update") stored = store.update("k", value);
            else if (operation === "update with a format") stored = store.update("k", value, { format });
            else stored = store.bulkStore({ k: value }, { format });
            bytes.fill(9);
            object.list.push(9);
            object.inner.a = 9;
            object.map?.forEach((item) => (item.b = 9));
            object.map?.set("c", { b: 9 });
            await stored;

            const describe = (read: unknown) => {
              if (read instanceof Uint8Array) return [...read];
              const { list, inner, map, bytes } = read as typeof object;
              return [list, inner, ...(map === undefined ? [] : [[...map], [...(bytes ?? [])]])];
            };
            return { cached: describe(await store.retrieve("k")), stored: describe(await store.retrieve("k", { useCache: false })) };
          },
          [format, operation, before] as const,
        );
        const expected =
          format === "binary" ? [1, 2, 3] : format === "json" ? [[1], { a: 1 }] : [[1], { a: 1 }, [["a", { b: 1 }]], [1, 2, 3]];
        expect(seen).toEqual({ cached: expected, stored: expected });
        await wire.waitFor(sent);
      });
    }
  }

  test("a change of a stored object does not change the entry", async ({ page, openStore }) => {
    await openStore();
    const seen = await page.evaluate(async () => {
      const [json, bytes, map] = [{ a: [1] }, Uint8Array.of(1), new Map([["a", [1]]])];
      await store.store("json", json);
      await store.store("binary", bytes, { format: "binary" });
      await store.store("structured", map, { format: "structured" });
      json.a.push(2);
      bytes[0] = 2;
      map.get("a")?.push(2);
      return {
        json: await store.retrieve("json"),
        binary: [...((await store.retrieve<Uint8Array>("binary")) ?? [])],
        structured: (await store.retrieve<typeof map>("structured"))?.get("a"),
      };
    });
    expect(seen).toEqual({ json: { a: [1] }, binary: [1], structured: [1] });
  });

  test("a change of a retrieved object does not change the entry", async ({ page, openStore }) => {
    await openStore();
    const seen = await page.evaluate(async () => {
      await store.store("json", { a: [1] });
      await store.store("binary", Uint8Array.of(1), { format: "binary" });
      await store.store("structured", new Map([["a", [1]]]), { format: "structured" });
      const spoil = async (useCache: boolean) => {
        (await store.retrieve<{ a: number[] }>("json", { useCache }))?.a.push(2);
        (await store.retrieve<Uint8Array>("binary", { useCache }))?.fill(2);
        (await store.retrieve<Map<string, number[]>>("structured", { useCache }))?.get("a")?.push(2);
        for (const value of (await store.bulkRetrieve<{ a: number[] }>(["json"], { useCache })).values()) value.a.push(3);
        (await store.getMetadata("json"))?.createdAt.setTime(0);
      };
      await spoil(true);
      await spoil(false);
      return {
        json: await store.retrieve("json"),
        binary: [...((await store.retrieve<Uint8Array>("binary")) ?? [])],
        structured: (await store.retrieve<Map<string, number[]>>("structured"))?.get("a"),
        metadataChanged: (await store.getMetadata("json"))?.createdAt.getTime() === 0,
      };
    });
    expect(seen).toEqual({ json: { a: [1] }, binary: [1], structured: [1], metadataChanged: false });
  });

  test("two concurrent reads return separate copies", async ({ page, openStore }) => {
    await openStore();
    await page.evaluate(() => store.store("k", { a: 1 }));
    await reload(page);
    await openStore();
    const different = await page.evaluate(async () => {
      const [one, two] = await Promise.all([store.retrieve("k"), store.retrieve("k")]);
      return one !== two;
    });
    expect(different).toBe(true);
  });

  test("a change of the tags after the call does not change the entry", async ({ page, openStore }) => {
    await openStore();
    const tags = await page.evaluate(async () => {
      const tags = ["a"];
      const stored = store.store("k", 1, { tags });
      tags.push("b");
      await stored;
      return (await store.getMetadata("k"))?.tags;
    });
    expect(tags).toEqual(["a"]);
  });
});
