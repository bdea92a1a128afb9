import { existsSync, readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** A path in backticks that begins with a folder of the repository, or the target of a link to a file. */
const PATH = /`((?:src|api|contract|e2e|bench|demo|docs|scripts|\.ci)\/[^`\s<>]*)`|\]\((?!https?:|#)([^)#\s]+)/g;

const documents = ["", "docs/"].flatMap((folder) =>
  readdirSync(root + folder).flatMap((name) => (name.endsWith(".md") ? [folder + name] : [])),
);

describe("The documents", () => {
  it.each(documents)("name only paths that exist, in %s", (document) => {
    const missing = [...readFileSync(root + document, "utf8").matchAll(PATH)]
      .map(([, path, link]) => path ?? new URL(link ?? "", `file:///${document}`).pathname.slice(1))
      .filter((path) => !existsSync(root + path));
    expect(missing).toEqual([]);
  });
});
