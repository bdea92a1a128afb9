import type { Reply } from "../network/replies.ts";

/** The JSON of a reply; an empty object where it has none. */
export function readAnswer<T extends object>({ data }: Reply): Partial<T> {
  try {
    return Object(JSON.parse(new TextDecoder().decode(data))) as Partial<T>;
  } catch {
    return {};
  }
}
