import { type } from "arktype";
import * as v from "valibot";
import { describe, expect, it, vi } from "vitest";
import { z } from "zod";
import type { StandardSchema } from "../model/standard-schema.ts";
import { codeOf, errorOf } from "../testing/errors.ts";
import { deferred } from "../testing/fake-connection.ts";
import { schema } from "../testing/schemas.ts";
import { usePage } from "../testing/stores.ts";

const page = usePage();

/** A user with a name; the role is "guest" by default. */
const LIBRARIES: Readonly<Record<string, StandardSchema>> = {
  zod: z.object({ name: z.string().min(1), role: z.string().default("guest") }),
  "asynchronous zod": z.object({ name: z.string().refine(async (name) => name !== ""), role: z.string().default("guest") }),
  valibot: v.object({ name: v.pipe(v.string(), v.minLength(1)), role: v.optional(v.string(), "guest") }),
  "asynchronous valibot": v.objectAsync({
    name: v.pipeAsync(
      v.string(),
      v.checkAsync(async (name) => name !== ""),
    ),
    role: v.optional(v.string(), "guest"),
  }),
  arktype: type({ name: "string > 0", role: "string = 'guest'" }),
};

describe.each(Object.entries(LIBRARIES))("A schema of %s", (_, user) => {
  const schemas = { "user:*": user };

  it("lets values that fit through, and its defaults are stored and published", async () => {
    const store = page.open({ schemas });
    expect(await store.store("user:1", { name: "Ada" })).toBe(true);
    expect(await store.store("other", { name: "" })).toBe(true);
    const [published] = page.nats.of("user:1");
    expect(JSON.parse((published as { value: string }).value)).toEqual({ name: "Ada", role: "guest" });
    for (const reader of [store, page.open(), page.open({ schemas })]) {
      expect(await reader.retrieve("user:1")).toEqual({ name: "Ada", role: "guest" });
      expect(await reader.retrieve("user:1", { useCache: false })).toEqual({ name: "Ada", role: "guest" });
      expect(await reader.retrieve("other")).toEqual({ name: "" });
    }
    expect(await store.bulkRetrieve(["user:1", "other", "absent"])).toEqual(
      new Map<string, unknown>([
        ["user:1", { name: "Ada", role: "guest" }],
        ["other", { name: "" }],
      ]),
    );
  });

  it("refuses values that do not fit before anything is written or sent, and the error has its issues", async () => {
    const store = page.open({ schemas });
    await store.store("user:1", { name: "Ada" });
    const refused = [
      () => store.store("user:1", { name: "" }),
      () => store.update("user:1", { name: "" }),
      () => store.bulkStore({ a: 1, "user:2": { name: "Eve" }, "user:1": { name: "" } }),
    ];
    for (const call of refused) {
      const error = await errorOf(call);
      expect(error).toMatchObject({ code: "SCHEMA_MISMATCH", key: "user:1", issues: [{ message: expect.any(String) }] });
      expect(error.message).toMatch(/^The value does not fit the schema "user:\*" \(name: /);
    }
    expect(await store.listKeys()).toEqual(["user:1"]);
    expect(await store.retrieve("user:1")).toEqual({ name: "Ada", role: "guest" });
    expect(page.nats.log).toEqual(["user:1@1"]);
  });

  it("refuses a stored value that does not fit at every read, until the key is stored again", async () => {
    await page.open().bulkStore({ "user:1": { name: "" }, other: 1 });
    const store = page.open({ schemas });
    const corrupt = vi.fn<() => void>();
    store.addEventListener("corrupt", corrupt);
    for (const read of [
      () => store.retrieve("user:1"),
      () => store.retrieve("user:1"),
      () => store.retrieve("user:1", { useCache: false }),
      () => store.bulkRetrieve(["other", "user:1"]),
    ]) {
      expect(await errorOf(read)).toMatchObject({ code: "SCHEMA_MISMATCH", key: "user:1", issues: [{ message: expect.any(String) }] });
    }
    expect(await store.exists("user:1")).toBe(true);
    expect(await store.getMetadata("user:1")).toMatchObject({ version: 1 });
    await store.store("user:1", { name: "Ada" });
    expect(await store.retrieve("user:1")).toEqual({ name: "Ada", role: "guest" });
    expect(corrupt).not.toHaveBeenCalled();
  });
});

describe("A schema", () => {
  it("is the first one whose pattern matches", async () => {
    const store = page.open({ schemas: { "user:[ab]*": z.number(), "user:*": z.string() } });
    expect(await store.store("user:a", 1)).toBe(true);
    expect(await codeOf(() => store.store("user:a", "text"))).toBe("SCHEMA_MISMATCH");
    expect(await store.store("user:c", "text")).toBe(true);
    expect(await codeOf(() => store.store("user:c", 1))).toBe("SCHEMA_MISMATCH");
  });

  it("gets the value as the format keeps it, and as it was at the time of the call", async () => {
    const seen: unknown[] = [];
    const ready = deferred<void>();
    const slow = schema(async (value) => {
      await ready.promise;
      seen.push(structuredClone(value));
      return { value };
    });
    const store = page.open({ schemas: { "*": slow } });
    const value = { at: new Date(0), absent: undefined };
    const writes = [store.store("k", value), store.update("k", value), store.bulkStore([["k", value]])];
    value.at.setTime(1);
    ready.resolve();
    await Promise.all(writes);
    expect(seen).toEqual(Array.from({ length: 3 }, () => ({ at: "1970-01-01T00:00:00.000Z" })));
  });

  it("may return what the format keeps in another form, and each read returns it in that form", async () => {
    const store = page.open({ schemas: { "*": z.object({ at: z.coerce.date() }) } });
    await store.store("k", { at: new Date(0) });
    const first = await store.retrieve<{ at: Date }>("k");
    expect(first).toEqual({ at: new Date(0) });
    first?.at.setTime(1);
    expect(await store.retrieve("k")).toEqual({ at: new Date(0) });
  });

  it("must accept what it returns, or nothing is stored", async () => {
    const store = page.open({ schemas: { number: z.string().transform(Number), date: z.object({ at: z.date() }) } });
    const error = await errorOf(() => store.store("number", "5"));
    expect(error).toMatchObject({ code: "SCHEMA_MISMATCH", key: "number" });
    expect(error.message).toContain("must accept what it returns");
    // JSON makes texts of dates.
    expect(await codeOf(() => store.store("date", { at: new Date(0) }))).toBe("SCHEMA_MISMATCH");
    expect(await store.store("date", { at: new Date(0) }, { format: "structured" })).toBe(true);
    expect(await store.retrieve("date")).toEqual({ at: new Date(0) });
    expect(await store.listKeys()).toEqual(["date"]);
  });

  it("whose result the format cannot keep rejects INVALID_VALUE", async () => {
    const store = page.open({ schemas: { "*": z.string().transform(() => new Map()) } });
    expect(await codeOf(() => store.store("k", "text"))).toBe("INVALID_VALUE");
  });

  it.each<[string, StandardSchema]>([
    [
      "throws",
      schema(() => {
        throw new Error("no network");
      }),
    ],
    ["rejects", schema(() => Promise.reject(new Error("no network")))],
  ])("that %s rejects SCHEMA_MISMATCH with the cause and without issues, and nothing is stored or migrated", async (_, failing) => {
    await page.open().store("old", 1);
    const migrate = vi.fn<() => unknown>();
    const store = page.open({ schemas: { "*": failing }, migrate });
    for (const call of [() => store.store("k", 1), () => store.retrieve("old")]) {
      const error = await errorOf(call);
      expect(error).toMatchObject({ code: "SCHEMA_MISMATCH", cause: { message: "no network" } });
      expect(error.issues).toBeUndefined();
    }
    expect(await store.listKeys()).toEqual(["old"]);
    expect(migrate).not.toHaveBeenCalled();
  });

  it("is not asked again for a value in memory that it returns unchanged", async () => {
    const validate = vi.fn<StandardSchema["~standard"]["validate"]>((value) => ({ value }));
    const store = page.open({ schemas: { "*": schema(validate) } });
    await store.store("k", { a: [1, { b: null }] });
    await store.retrieve("k");
    validate.mockClear();
    expect(await store.retrieve("k")).toEqual({ a: [1, { b: null }] });
    expect(validate).not.toHaveBeenCalled();
    await store.retrieve("k", { useCache: false });
    expect(validate).toHaveBeenCalledTimes(1);
  });

  it("is asked again when it changes the value that it is given", async () => {
    const store = page.open({
      schemas: {
        "*": schema((value) => {
          (value as { reads: number }).reads = 1;
          return { value };
        }),
      },
    });
    await store.store("k", { reads: 0 });
    await page.open().store("k", { reads: 0 });
    for (let read = 1; read <= 3; read++) expect(await store.retrieve("k")).toEqual({ reads: 1 });
  });

  it("checks what the function of an update gets and returns, and what entries iterates", async () => {
    await page.open().bulkStore({ a: 1, b: "text" });
    const store = page.open({ schemas: { "*": z.number() } });
    expect(await store.update<number>("a", (present) => present! + 1)).toBe(true);
    expect(await codeOf(() => store.update("a", () => "text"))).toBe("SCHEMA_MISMATCH");
    const compute = vi.fn<() => number>();
    expect(await codeOf(() => store.update("b", compute))).toBe("SCHEMA_MISMATCH");
    expect(compute).not.toHaveBeenCalled();
    const found: unknown[] = [];
    const error = await errorOf(async () => {
      for await (const [key, value] of store.entries()) found.push([key, value]);
    });
    expect(found).toEqual([["a", 2]]);
    expect(error).toMatchObject({ code: "SCHEMA_MISMATCH", key: "b" });
  });

  it("checks what retrieveOrStore loads, and what it has refused is loaded again", async () => {
    await page.open().store("user:1", { name: 5 });
    const store = page.open({ schemas: { "user:*": z.object({ name: z.string(), role: z.string().default("guest") }) } });
    const load = vi.fn<() => unknown>(() => ({ name: "Ada" }));
    for (let call = 1; call <= 3; call++) expect(await store.retrieveOrStore("user:1", load)).toEqual({ name: "Ada", role: "guest" });
    expect(load).toHaveBeenCalledTimes(1);
    expect(await codeOf(() => store.retrieveOrStore("user:2", () => ({ name: 5 })))).toBe("SCHEMA_MISMATCH");
    expect(await store.exists("user:2")).toBe(false);
  });

  it("lets peek return a value that it can check at once", async () => {
    const store = page.open({
      schemas: {
        "sync:*": z.object({ at: z.coerce.date() }),
        "async:*": z.any().refine(async () => true),
        "changing:*": schema(async (value) => ({ value: [value].flat() })),
      },
    });
    await store.bulkStore({ "sync:1": { at: 0 }, "async:1": 1, "changing:1": [{}] });
    expect(store.peek("sync:1")).toEqual({ at: new Date(0) });
    expect([store.peek("async:1"), store.peek("changing:1"), store.peek("other")]).toEqual([undefined, undefined, undefined]);
    await store.retrieve("async:1");
    expect(store.peek("async:1")).toBe(1);
  });

  it("is waited for by close, and its write keeps the order of the calls", async () => {
    const ready = deferred<void>();
    const store = page.open({
      schemas: {
        "*": schema(async (value) => {
          if (value === "slow") await ready.promise;
          return { value };
        }),
      },
    });
    const slow = store.store("k", "slow");
    const fast = store.store("k", "fast");
    const closed = store.close();
    ready.resolve();
    expect(await Promise.all([slow, fast])).toEqual([true, true]);
    await closed;
    expect(await page.open().retrieve("k")).toBe("fast");
  });

  it("decides about the value of an update that finds another format", async () => {
    const store = page.open({ schemas: { "*": z.union([z.string(), z.instanceof(Uint8Array)]) } });
    await store.store("k", "text", { format: "text" });
    expect(await store.update("k", "longer")).toBe(true);
    expect(await codeOf(() => store.update("k", 1))).toBe("INVALID_VALUE");
    expect(await store.store("b", new Blob(["ab"]), { format: "binary" })).toBe(true);
    expect(await store.retrieve("b")).toEqual(new Uint8Array([97, 98]));
  });

  it("belongs to its store: another one of the page has its own", async () => {
    const strict = page.openTogether({ schemas: { "*": z.number() } });
    const free = page.openTogether();
    await free.store("k", "text");
    expect(await free.retrieve("k")).toBe("text");
    expect(await codeOf(() => strict.retrieve("k"))).toBe("SCHEMA_MISMATCH");
  });

  it("leaves an expired entry absent, whatever its value", async () => {
    await page.open().store("k", "text", { ttl: 1 });
    const store = page.open({ schemas: { "*": z.number() } });
    page.clock.wallTime += 2_000;
    expect(await store.retrieve("k")).toBeUndefined();
  });
});
