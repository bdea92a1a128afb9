import { readdirSync, readFileSync } from "node:fs";
import { root } from "./root.mjs";

/** @typedef {import("vite").Plugin} Plugin */

/** The packages that src/ imports. docs/ARCHITECTURE.md has the reasons for them. */
export const PACKAGES = ["devalue", "fflate", "idb-keyval", "js-base64", "nats.ws"];

/**
 * The package of a module; undefined for a module of this project.
 * @param {string} id
 */
export function packageOf(id) {
  return /\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(id)?.[1];
}

/**
 * Adds the licence of each package beside its modules, and says in each module which package it is from.
 * @returns {Plugin}
 */
export function licences() {
  return {
    name: "licences",
    generateBundle(_options, bundle) {
      const names = new Set();
      for (const file of Object.values(bundle)) {
        const name = /^packages\/((?:@[^/]+\/)?[^/]+)/.exec(file.fileName)?.[1];
        if (name === undefined || file.type !== "chunk") continue;
        if (!PACKAGES.includes(name)) throw new Error(`src/ imports ${name}. Add it to PACKAGES and to docs/ARCHITECTURE.md.`);
        names.add(name);
        const { version, license } = JSON.parse(readFileSync(`${root}node_modules/${name}/package.json`, "utf8"));
        file.code = `/* ${name} ${version}, ${license}. Changed: only the code that nas-keystore uses. */ ${file.code}`;
      }
      for (const name of names) {
        const folder = `${root}node_modules/${name}/`;
        const licence = readdirSync(folder).find((path) => /^licen[cs]e/i.test(path));
        if (licence === undefined) throw new Error(`${folder} has no licence.`);
        this.emitFile({ type: "asset", fileName: `packages/${name}/LICENSE`, source: readFileSync(folder + licence) });
      }
    },
  };
}

/**
 * Removes tweetnacl, which computes signatures, from nats.ws. It sets `globalThis.nacl`, and contains `require("crypto")` in a branch that
 * no browser runs: Vite warns, esbuild stops, Parcel installs seven packages. Only authenticators need signatures, and apps bring their own.
 * @returns {Plugin}
 */
export function withoutSignatures() {
  const call = "setEd25519Helper(denoHelper);";
  return {
    name: "without-signatures",
    transform(code, id) {
      if (!id.includes("/nats.ws/")) return undefined;
      const start = code.indexOf("(function(nacl) {");
      const end = code.indexOf("let helper;", start);
      if (start < 0 || end < 0 || !code.includes(call)) throw new Error("nats.ws has changed. Adapt scripts/lib/bundled-packages.mjs.");
      // Empty lines instead, so that the source map stays right.
      const emptied = code.slice(start, end).replaceAll(/.+/g, "");
      return { code: (code.slice(0, start) + emptied + code.slice(end)).replace(call, ""), map: null };
    },
  };
}
