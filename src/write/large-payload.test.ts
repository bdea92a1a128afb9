import { expect, it, vi } from "vitest";
import { usePage } from "../testing/stores.ts";

const page = usePage();

/** An operation that takes a millisecond for a large payload must not be done twice. */
it("A large JSON value is written as text once, quoted once, and encoded to UTF-8 twice: for its checksum and for its message", async () => {
  const value = Array.from({ length: 20_000 }, (_, id) => ({ id, name: `user "${id}"` }));
  const store = page.open();
  await store.flush();
  const calls = { stringify: 0, encode: 0 };
  const { stringify } = JSON;
  vi.spyOn(JSON, "stringify").mockImplementation((given: unknown) => {
    const text = stringify(given);
    if (text !== undefined && text.length > 100_000) calls.stringify++;
    return text;
  });
  const { encode, encodeInto } = TextEncoder.prototype;
  vi.spyOn(TextEncoder.prototype, "encode").mockImplementation(function (this: TextEncoder, text) {
    if (text !== undefined && text.length > 100_000) calls.encode++;
    return encode.call(this, text);
  });
  vi.spyOn(TextEncoder.prototype, "encodeInto").mockImplementation(function (this: TextEncoder, text, bytes) {
    if (text.length > 100_000) calls.encode++;
    return encodeInto.call(this, text, bytes);
  });
  expect(await store.store("k", value)).toBe(true);
  expect(calls).toEqual({ stringify: 2, encode: 2 });
  expect(page.nats.of("k")).toMatchObject([{ value: stringify(value) }]);
});
