import { tagOf } from "../util/tag.ts";

/** What JSON.stringify writes in place of an item that has a toJSON method. An invalid Date stays: its toJSON method returns null. */
export function converted(item: unknown, name: PropertyKey): unknown {
  if (item === null || (typeof item !== "object" && typeof item !== "function" && typeof item !== "bigint")) return item;
  const { toJSON } = item as { toJSON?: unknown };
  if (typeof toJSON !== "function") return item;
  const result: unknown = toJSON.call(item, String(name));
  return result === null && tagOf(item) === "[object Date]" ? item : result;
}
