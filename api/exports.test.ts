import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const index = read("../src/index.ts");
const contract = read("nas-keystore.d.ts");
const checks = read("contract.ts");

it("the package exports the names that the contract declares, and no others", () => {
  expect(namesOf(index)).toEqual(namesOf(contract));
});

it("every declaration of the contract is compared with the package's", () => {
  const unchecked = namesOf(contract).filter((name) => !new RegExp(`contract\\.${name}\\b`).test(checks));
  // `typeof contract` covers functions.
  expect(unchecked).toEqual(["deriveKey", "destroyNamespace"]);
});

/** The exported names, sorted. */
function namesOf(source: string): string[] {
  const declared = [...source.matchAll(/^export (?:declare )?(?:const|function|class|interface|type) (\w+)/gm)].map(
    ([, name = ""]) => name,
  );
  const listed = [...source.matchAll(/^export (?:type )?\{([^}]*)\}/gm)].flatMap(([, list = ""]) => list.match(/\w+(?=\s*(?:,|$))/g) ?? []);
  return [...new Set([...declared, ...listed])].toSorted();
}

function read(path: string): string {
  return readFileSync(fileURLToPath(new URL(path, import.meta.url)), "utf8");
}
