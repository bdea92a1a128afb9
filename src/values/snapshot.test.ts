import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { snapshot } from "./snapshot.ts";

describe("snapshot", () => {
  it("A snapshot equals its source and shares nothing that can change", () => {
    const value = { list: [1, { deep: true }], map: new Map([[{ k: 1 }, new Set([new Date(5)])]]), bytes: new Uint8Array([1, 2]) };
    const copy = snapshot(value);
    const before = structuredClone(value);
    (value.list[1] as { deep: boolean }).deep = false;
    value.list.push(3);
    for (const set of value.map.values()) for (const date of set) date.setTime(9);
    for (const key of value.map.keys()) key.k = 2;
    value.map.clear();
    value.bytes[0] = 9;
    expect(copy).toEqual(before);
  });

  it("A snapshot keeps cycles and shared references", () => {
    const shared = { a: 1 };
    const value: Record<string, unknown> = { one: shared, two: shared };
    value["self"] = value;
    const copy = snapshot(value);
    expect(copy["self"]).toBe(copy);
    expect(copy["one"]).toBe(copy["two"]);
    expect(copy["one"]).not.toBe(shared);
  });

  it("A snapshot keeps holes, array lengths and null prototypes", () => {
    const sparse: unknown[] = [];
    sparse[3] = 1;
    const copy = snapshot({ sparse, bare: Object.create(null) as object });
    expect(copy.sparse).toHaveLength(4);
    expect(0 in copy.sparse).toBe(false);
    expect(Object.getPrototypeOf(copy.bare)).toBeNull();
  });

  it("A snapshot defines __proto__ as an own property instead of assigning it", () => {
    const copy = snapshot(JSON.parse('{"__proto__":{"admin":true}}') as object);
    expect(Object.keys(copy)).toEqual(["__proto__"]);
    expect(Object.getPrototypeOf(copy)).toBe(Object.prototype);
  });

  it("A snapshot reads each getter once, when it is taken", () => {
    let reads = 0;
    const copy = snapshot({
      get n() {
        return ++reads;
      },
    });
    expect(copy.n).toBe(1);
    expect(copy.n).toBe(1);
    expect(reads).toBe(1);
  });

  it("A snapshot keeps the properties of a DOMException as they were", () => {
    const error = Object.assign(new DOMException("m", "AbortError"), { attempts: 1 });
    const copy = snapshot(error);
    error.attempts = 2;
    expect(copy).toMatchObject({ name: "AbortError", message: "m", attempts: 1 });
    expect(copy).toBeInstanceOf(DOMException);
  });

  it("A snapshot has a raw JSON text itself, which JSON.stringify knows by its identity", () => {
    const raw = Object.freeze({ rawJSON: "1" });
    vi.stubGlobal("JSON", Object.create(JSON, { isRawJSON: { value: (item: unknown) => item === raw } }));
    expect(snapshot([raw])[0]).toBe(raw);
    vi.unstubAllGlobals();
  });

  it("A snapshot does not list the elements of a view", () => {
    const ownKeys = vi.spyOn(Reflect, "ownKeys");
    const view = new Uint8Array(3);
    expect(snapshot({ view }).view).toEqual(view);
    expect(ownKeys).not.toHaveBeenCalledWith(view);
    ownKeys.mockRestore();
  });

  it("A snapshot copies the bytes of a view, not its whole buffer", () => {
    const buffer = new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8]).buffer;
    const copy = snapshot({ part: new Uint8Array(buffer, 2, 3), view: new DataView(buffer, 1, 2), wide: new Uint16Array(buffer, 2, 1) });
    expect([...copy.part]).toEqual([3, 4, 5]);
    expect(copy.part.buffer.byteLength).toBe(3);
    expect(copy.view.byteLength).toBe(2);
    expect(copy.wide.buffer.byteLength).toBe(2);
  });

  it("A snapshot of a value of any depth does not overflow the stack", () => {
    let value: unknown = "end";
    for (let depth = 0; depth < 100_000; depth++) value = [value];
    let copy = snapshot(value);
    for (let depth = 0; depth < 100_000; depth++) copy = (copy as unknown[])[0];
    expect(copy).toBe("end");
  });

  it("A snapshot equals its source, whatever the value", () => {
    const anything = fc.anything({
      withDate: true,
      withMap: true,
      withSet: true,
      withTypedArray: true,
      withSparseArray: true,
      withNullPrototype: true,
    });
    fc.assert(
      fc.property(anything, (value) => {
        expect(snapshot(value)).toStrictEqual(value);
      }),
    );
  });
});
