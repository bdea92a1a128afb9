import { expect, reload, test } from "./support/fixtures.ts";

/** Values of `useCache`. Reads from memory and from IndexedDB must return the same values. */
const WAYS = [true, false];

test.describe("round trips", () => {
  for (const useCache of WAYS) {
    const where = useCache ? "from memory" : "from IndexedDB";

    test(`the json format returns JSON values ${where}`, async ({ page, openStore }) => {
      await openStore();
      const values = [
        null,
        true,
        false,
        0,
        1.5,
        -1e300,
        "",
        "text",
        "\ud800 alone",
        "\0\u2028",
        [],
        {},
        [[[1]]],
        { a: { b: [null, { c: "" }] } },
        "😀".repeat(3000),
      ];
      const read = await page.evaluate(
        async ([values, useCache]) => {
          await store.bulkStore(values.map((value, index) => [String(index), value] as const));
          return [
            ...(
              await store.bulkRetrieve(
                values.map((_, index) => String(index)),
                { useCache },
              )
            ).values(),
          ];
        },
        [values, useCache] as const,
      );
      expect(read).toEqual(values);
    });

    test(`the json format returns values as JSON.stringify converts them ${where}`, async ({ page, openStore }) => {
      await openStore();
      const read = await page.evaluate(async (useCache) => {
        class Point {
          x = 1;
          get twice() {
            return 2 * this.x;
          }
        }
        const value = {
          date: new Date(0),
          point: new Point(),
          left: undefined,
          zero: -0,
          bare: Object.assign(Object.create(null) as object, { a: 1 }),
          own: { toJSON: () => ["as", "told"] },
        };
        await store.store("k", value);
        const copy = await store.retrieve<Record<string, unknown>>("k", { useCache });
        return { copy, isPlusZero: Object.is(copy?.["zero"], 0), hasUndefined: "left" in (copy ?? {}) };
      }, useCache);
      expect(read).toEqual({
        copy: { date: "1970-01-01T00:00:00.000Z", point: { x: 1 }, zero: 0, bare: { a: 1 }, own: ["as", "told"] },
        isPlusZero: true,
        hasUndefined: false,
      });
    });

    test(`a property named __proto__ is returned as an own property ${where}`, async ({ page, openStore }) => {
      await openStore();
      const read = await page.evaluate(async (useCache) => {
        const value = JSON.parse('{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}') as object;
        const seen: unknown[] = [];
        for (const format of ["json", "structured"] as const) {
          await store.store(format, value, { format }).catch(() => undefined); // a format may refuse it
          const copy = await store.retrieve<object>(format, { useCache });
          seen.push(copy === undefined || (Object.hasOwn(copy, "__proto__") && Object.getPrototypeOf(copy) === Object.prototype));
        }
        return { ownProperties: seen, isClean: ({} as { polluted?: boolean }).polluted === undefined };
      }, useCache);
      expect(read).toEqual({ ownProperties: [true, true], isClean: true });
    });

    test(`the text format returns text unchanged ${where}`, async ({ page, openStore }) => {
      const texts = ["", "plain", "\r\n\0", "\ufeffBOM", "日本 😀", "x".repeat(100_000)];
      await openStore();
      const read = await page.evaluate(
        async ([texts, useCache]) => {
          await store.bulkStore(
            texts.map((text, index) => [String(index), text] as const),
            { format: "text" },
          );
          return [
            ...(
              await store.bulkRetrieve(
                texts.map((_, index) => String(index)),
                { useCache },
              )
            ).values(),
          ];
        },
        [texts, useCache] as const,
      );
      expect(read).toEqual(texts);
    });

    test(`the binary format accepts buffers, views and Blobs and returns Uint8Arrays ${where}`, async ({ page, openStore }) => {
      await openStore();
      const read = await page.evaluate(async (useCache) => {
        const buffer = Uint8Array.from([0, 1, 2, 3, 254, 255]).buffer;
        const inputs: unknown[] = [
          buffer,
          new Uint8Array(buffer),
          new Uint8Array(buffer, 2, 3),
          new DataView(buffer, 4),
          new Uint16Array(buffer, 2, 1),
          new Float64Array(0),
          new ArrayBuffer(0),
          new Blob(["é", new Uint8Array([0])]),
          new File(["x"], "x.txt"),
        ];
        await store.bulkStore(
          inputs.map((input, index) => [String(index), input] as const),
          { format: "binary" },
        );
        const values = await store.bulkRetrieve<Uint8Array>(
          inputs.map((_, index) => String(index)),
          { useCache },
        );
        return [...values.values()].map((bytes) => [bytes.constructor === Uint8Array, bytes.buffer.byteLength, ...bytes]);
      }, useCache);
      expect(read).toEqual([
        [true, 6, 0, 1, 2, 3, 254, 255],
        [true, 6, 0, 1, 2, 3, 254, 255],
        [true, 3, 2, 3, 254],
        [true, 2, 254, 255],
        [true, 2, 2, 3],
        [true, 0],
        [true, 0],
        [true, 3, 195, 169, 0],
        [true, 1, 120],
      ]);
    });

    test(`the structured format keeps rich values ${where}`, async ({ page, openStore }) => {
      await openStore();
      const wrong = await page.evaluate(async (useCache) => {
        const shared = { shared: true };
        const cycle: { self?: unknown } = {};
        cycle.self = cycle;
        // eslint-disable-next-line no-sparse-arrays
        const sparse = [1, , 3];
        const value = {
          undefined: undefined,
          nan: NaN,
          infinity: -Infinity,
          zero: -0,
          big: 12345678901234567890n,
          date: new Date(86_400_000),
          map: new Map<unknown, unknown>([
            ["a", 1],
            [{ k: 1 }, new Set([1, "2"])],
          ]),
          regexp: /a+\/b/giu,
          view: new Uint8Array(Uint8Array.from([9, 8, 7, 6]).buffer, 1, 2),
          floats: Float64Array.of(0.1, -0),
          buffer: Uint8Array.of(5).buffer,
          error: new RangeError("too far", { cause: new TypeError("inner") }),
          both: new AggregateError([new Error("one")], "both"),
          dom: new DOMException("gone", "AbortError"),
          url: new URL("https://example.org/?q"),
          sparse,
          twice: [shared, shared],
          cycle,
          text: "\ud800 alone",
        };
        await store.store("k", value, { format: "structured" });
        const copy = await store.retrieve<typeof value>("k", { useCache });
        if (copy === undefined) return ["everything"];
        const checks: Record<string, boolean> = {
          undefined: "undefined" in copy && copy.undefined === undefined,
          nan: Number.isNaN(copy.nan),
          infinity: copy.infinity === -Infinity,
          zero: Object.is(copy.zero, -0),
          big: copy.big === value.big,
          date: copy.date instanceof Date && copy.date.getTime() === 86_400_000,
          map: copy.map.get("a") === 1 && ([...copy.map.values()][1] as Set<unknown>).has("2"),
          regexp: String(copy.regexp) === String(value.regexp),
          view: copy.view instanceof Uint8Array && String(copy.view) === "8,7" && copy.view.buffer.byteLength === 2,
          floats: copy.floats[0] === 0.1 && Object.is(copy.floats[1], -0),
          buffer: copy.buffer instanceof ArrayBuffer && new Uint8Array(copy.buffer)[0] === 5,
          error: copy.error instanceof RangeError && copy.error.message === "too far" && copy.error.cause instanceof TypeError,
          both: copy.both instanceof AggregateError && (copy.both.errors[0] as Error).message === "one",
          dom: copy.dom instanceof DOMException && copy.dom.name === "AbortError",
          url: copy.url.href === "https://example.org/?q",
          sparse: copy.sparse.length === 3 && !(1 in copy.sparse) && copy.sparse[2] === 3,
          twice: copy.twice[0] === copy.twice[1],
          cycle: copy.cycle.self === copy.cycle,
          text: copy.text === value.text,
        };
        return Object.keys(checks).filter((name) => !checks[name]);
      }, useCache);
      expect(wrong).toEqual([]);
    });
  }

  test("a stored undefined is an entry with the value undefined", async ({ page, openStore }) => {
    await openStore();
    const seen = await page.evaluate(async () => {
      await store.store("k", undefined, { format: "structured" });
      const all = await store.bulkRetrieve(["k", "nothing"]);
      return { exists: await store.exists("k"), bulkHasIt: all.has("k"), bulkHasAbsent: all.has("nothing") };
    });
    expect(seen).toEqual({ exists: true, bulkHasIt: true, bulkHasAbsent: false });
  });

  test("a read can be the first use of the structured format in a page", async ({ page, openStore }) => {
    await openStore();
    await page.evaluate(() => store.store("k", new Map([["a", 1n]]), { format: "structured" }));
    await reload(page);
    await openStore();
    expect(await page.evaluate(async () => [...((await store.retrieve<Map<string, bigint>>("k")) ?? [])])).toEqual([["a", 1n]]);
  });
});

test.describe("refused values", () => {
  test("the json format refuses values that JSON would change or drop and names their path", async ({ page, openStore, wire }) => {
    await openStore();
    const wrong = await page.evaluate(async () => {
      const cycle: { a: { b?: unknown } } = { a: {} };
      cycle.a.b = cycle;
      // eslint-disable-next-line no-sparse-arrays
      const hole = [1, , 2];
      const cases: [what: string, value: unknown, path: string][] = [
        ["undefined", undefined, "value"],
        ["a function", () => 1, "value"],
        ["a symbol", Symbol("s"), "value"],
        ["a BigInt", 1n, "value"],
        ["NaN", NaN, "value"],
        ["Infinity", { a: { b: -Infinity } }, "value.a.b"],
        ["undefined in an array", { list: [1, undefined] }, "value.list[1]"],
        ["a hole in an array", hole, "value[1]"],
        ["a function as a property", { users: [{}, { f: () => 1 }] }, "value.users[1].f"],
        ["a symbol as a property", { "first name": Symbol("s") }, 'value["first name"]'],
        ["a BigInt in an array", [[1n]], "value[0][0]"],
        ["a cycle", cycle, "value.a.b"],
        ["a Map", { a: new Map() }, "value.a"],
        ["a Set", [new Set()], "value[0]"],
        ["an ArrayBuffer", new ArrayBuffer(1), "value"],
        ["a Uint8Array", { a: new Uint8Array(1) }, "value.a"],
        ["a DataView", { a: new DataView(new ArrayBuffer(1)) }, "value.a"],
        ["a Blob", { a: new Blob([]) }, "value.a"],
        ["NaN after a property that is the same object twice", { a: cycle.a.b && { x: 1 }, b: { y: NaN } }, "value.b.y"],
        ["what toJSON returns", { a: { toJSON: () => new Map() } }, "value.a"],
      ];
      const wrong: string[] = [];
      for (const [what, value, path] of cases) {
        for (const operation of ["store", "update", "bulkStore"] as const) {
          if (operation === "update" && typeof value === "function") continue; // it computes the value
          const refusal = await aids.refusalOf(() =>
            operation === "bulkStore" ? store.bulkStore({ good: 1, k: value }) : store[operation]("k", value),
          );
          const found = refusal?.message.match(/value(?:\.[\w$]+|\[\d+\]|\["[^"]*"\])*/)?.[0];
          if (refusal?.code !== "INVALID_VALUE" || refusal.key !== "k" || found !== path) {
            wrong.push(`${operation} of ${what}: ${JSON.stringify(refusal)}`);
          }
        }
      }
      return [wrong, await store.listKeys()];
    });
    expect(wrong).toEqual([[], []]);
    expect(await wire.settled()).toEqual([]);
  });

  test("the json format refuses values whose getter or toJSON method throws", async ({ page, openStore }) => {
    await openStore();
    const codes = await page.evaluate(async () => {
      const values = [
        {
          get a() {
            throw new Error("no");
          },
        },
        {
          toJSON() {
            throw new Error("no");
          },
        },
      ];
      return Promise.all(values.map(async (value) => (await aids.refusalOf(() => store.store("k", value)))?.code));
    });
    expect(codes).toEqual(["INVALID_VALUE", "INVALID_VALUE"]);
  });

  test("the text format refuses everything except well-formed strings", async ({ page, openStore, wire }) => {
    await openStore();
    const codes = await page.evaluate(async () => {
      const values = [undefined, null, 1, {}, ["a"], Object("a"), new Blob(["a"]), "\ud800", "a\udc00b"];
      return Promise.all(values.map(async (value) => (await aids.refusalOf(() => store.store("k", value, { format: "text" })))?.code));
    });
    expect(new Set(codes)).toEqual(new Set(["INVALID_VALUE"]));
    expect(await wire.settled()).toEqual([]);
  });

  test("the binary format refuses everything except bytes", async ({ page, openStore, wire }) => {
    await openStore();
    const codes = await page.evaluate(async () => {
      const values = [undefined, null, 1, "bytes", {}, [1, 2], { length: 1, 0: 1 }, new Date()];
      return Promise.all(values.map(async (value) => (await aids.refusalOf(() => store.store("k", value, { format: "binary" })))?.code));
    });
    expect(new Set(codes)).toEqual(new Set(["INVALID_VALUE"]));
    expect(await wire.settled()).toEqual([]);
  });

  for (const turn of ["first", "later"] as const) {
    test(`the structured format refuses values that it cannot keep and names their path, as the page's ${turn} structured value`, async ({
      page,
      openStore,
      wire,
    }) => {
      const names = ["a function", "a symbol", "an instance", "a promise", "a Blob", "a cyclic cause", "too deep", "too many digits"];
      const results: Record<string, unknown> = {};
      for (const name of names) {
        await reload(page);
        await openStore();
        results[name] = await page.evaluate(
          async ([name, turn]) => {
            if (turn === "later") await store.store("earlier", [], { format: "structured" });
            class Custom {
              a = 1;
            }
            const error = new Error("round");
            error.cause = error;
            let deep: unknown[] = [];
            for (let level = 0; level < 600; level++) deep = [deep];
            const culprits: Record<string, unknown> = {
              "a function": () => 1,
              "a symbol": Symbol("s"),
              "an instance": new Custom(),
              "a promise": Promise.resolve(),
              "a Blob": new Blob([]),
              "a cyclic cause": error,
              "too deep": deep,
              "too many digits": 10n ** 20_000n,
            };
            const value = { users: [0, { "first name": culprits[name] }] };
            const refusal = await aids.refusalOf(() => store.store("k", value, { format: "structured" }));
            return [refusal?.code, refusal?.key, refusal?.message.includes('.users[1]["first name"]')];
          },
          [name, turn] as const,
        );
      }
      expect(results).toEqual(Object.fromEntries(names.map((name) => [name, ["INVALID_VALUE", "k", true]])));
      expect((await wire.settled()).filter(({ envelope }) => envelope?.key !== "earlier")).toEqual([]);
    });
  }
});

test("values and signals of an iframe are accepted and refused as those of the page are", async ({ page, openStore }) => {
  await openStore();
  const seen = await page.evaluate(async () => {
    const frame = document.body.appendChild(document.createElement("iframe"));
    const realm = frame.contentWindow as Window & typeof globalThis;
    const codeOf = (value: unknown): Promise<unknown> =>
      store.store("refused", value).catch((error: unknown) => (error as { code?: unknown }).code);
    const signal = new realm.AbortController().signal;
    await store.store("blob", new realm.Blob(["a"]), { format: "binary", signal });
    await store.store("file", new realm.File(["b"], "name"), { format: "binary" });
    await store.store("plain", Object.assign(new realm.Object(), { list: new realm.Array(1, 2) }));
    const refused = [
      new realm.FormData(),
      new realm.Error("x"),
      new realm.Map(),
      realm.document.body,
      document.createElement("p"),
      performance.mark,
      document.querySelectorAll("p"),
      indexedDB,
      new MessageChannel().port1,
    ];
    return {
      blob: [...((await store.retrieve<Uint8Array>("blob")) ?? [])],
      file: [...((await store.retrieve<Uint8Array>("file")) ?? [])],
      plain: await store.retrieve("plain"),
      rect: await store.store("rect", new DOMRect()),
      codes: [...new Set(await Promise.all(refused.map(codeOf)))],
    };
  });
  expect(seen).toEqual({ blob: [97], file: [98], plain: { list: [1, 2] }, rect: true, codes: ["INVALID_VALUE"] });
});
