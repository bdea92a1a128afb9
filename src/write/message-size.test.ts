import { expect, it } from "vitest";
import { messageFor, wireSize } from "../model/envelope.ts";
import { errorOf } from "../testing/errors.ts";
import { entryRow } from "../testing/rows.ts";
import { checkMessageSize } from "./message-size.ts";

const PLAIN = { format: "text", original: "é".repeat(1_000), payload: "é".repeat(1_000) } as const;
const FACTS = { ttl: null, tags: ["t"] };

it("A message that can be too large is measured with the longest numbers, and refused when it is larger than the limit.", async () => {
  const error = await errorOf(() => checkMessageSize("test", "k", PLAIN, FACTS, 1_000));
  expect(error).toMatchObject({ code: "PAYLOAD_TOO_LARGE", key: "k" });
  const [size = 0] = /\d+/.exec(error.message)?.map(Number) ?? [];
  expect(() => checkMessageSize("test", "k", PLAIN, FACTS, size)).not.toThrow();
  expect(() => checkMessageSize("test", "k", PLAIN, FACTS, size - 1)).toThrow(`${size} bytes`);
});

it("The measured size is at least that of the real message.", async () => {
  const error = await errorOf(() => checkMessageSize("test", "k", PLAIN, FACTS, 1));
  const size = Number(/\d+/.exec(error.message)?.[0]);
  const row = entryRow({ format: "text", payload: PLAIN.payload, tags: ["t"], writeId: ["0".repeat(32), 1] });
  expect(size).toBeGreaterThanOrEqual(wireSize(messageFor("test", "k", row, "0".repeat(32))));
});
