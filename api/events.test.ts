import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { events } from "../contract/cases/events.ts";

const read = (path: string): string => readFileSync(fileURLToPath(new URL(path, import.meta.url)), "utf8");

/** Event → the members of its detail, as the contract declares them. */
const declared = membersOf(read("nas-keystore.d.ts"));
/** Event → the members of its detail, as the first table of the document lists them. */
const documented = new Map(
  [...read("../docs/EVENTS.md").matchAll(/^\| `(\w+)` \| [^|]* \| ((?:`\w+\??`[^|]*)+) \|[^|]*\|[^|]*\|$/gm)].map(
    ([, name = "", detail = ""]) => [name, [...detail.matchAll(/`(\w+\??)`/g)].map(([, member]) => member)] as const,
  ),
);

it("the table of the events has a row for each event, with the members of its detail", () => {
  expect(Object.fromEntries(documented)).toEqual(Object.fromEntries(declared));
});

it("each event has a contract case, whose title begins with its name", () => {
  expect(events.map(({ title }) => /^`(\w+)`/.exec(title)?.[1])).toEqual([...documented.keys()]);
});

it("the table of the changes has every type", () => {
  const types = [...read("../docs/EVENTS.md").matchAll(/^\| ((?:`\w+`(?:, )?)+) \| [^|]*\|[^|]*\|$/gm)].flatMap(([, cell = ""]) =>
    [...cell.matchAll(/`(\w+)`/g)].map(([, type]) => type),
  );
  const [, union = ""] = /change: \{[^}]*?type: ([^;]*);/.exec(read("nas-keystore.d.ts")) ?? [];
  expect(types).toEqual(["type", ...Array.from(union.matchAll(/"(\w+)"/g), ([, type]) => type)]);
});

function membersOf(source: string): Map<string, string[]> {
  const [, body = ""] = /interface KeyStoreEvents \{\n(.*?)\n\}/s.exec(source) ?? [];
  const found = body.replaceAll(/\/\/.*/g, "").matchAll(/(\w+): \{([^}]*)\}/g);
  return new Map(
    Array.from(found, ([, name = "", members = ""]) => [name, [...members.matchAll(/(\w+\??):/g)].map(([, member = ""]) => member)]),
  );
}
