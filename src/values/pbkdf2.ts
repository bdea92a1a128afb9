import { isWellFormed } from "../model/key.ts";
import { clip, KeyStoreError } from "../util/errors.ts";
import { bytesOf } from "../util/utf8.ts";
import { assertWebCrypto } from "./web-crypto.ts";

/** What OWASP recommends for PBKDF2 with SHA-256 (Password Storage Cheat Sheet, 2023). */
const DEFAULT_ITERATIONS = 600_000;

/** See deriveKey. Its arguments may be anything. */
export async function pbkdf2Key(passphrase: unknown, salt: unknown, options: unknown = {}): Promise<CryptoKey> {
  const isText = (value: unknown): value is string => typeof value === "string" && value !== "" && isWellFormed(value);
  if (!isText(passphrase)) throw invalid("passphrase", "The passphrase must be a well-formed string that is not empty.");
  if (!isText(salt) && !(ArrayBuffer.isView(salt) && salt.byteLength > 0)) {
    throw invalid("salt", "The salt must be a Uint8Array or a well-formed string, and not empty.");
  }
  const iterations = iterationsOf(options);
  assertWebCrypto("Key derivation");
  const { subtle } = crypto;
  const secret = await subtle.importKey("raw", bytesOf(passphrase), "PBKDF2", false, ["deriveKey"]);
  const parameters = {
    name: "PBKDF2",
    hash: "SHA-256",
    salt: typeof salt === "string" ? bytesOf(salt) : (salt as Uint8Array<ArrayBuffer>),
    iterations,
  };
  return subtle.deriveKey(parameters, secret, { name: "AES-GCM", length: 256 }, false, ["encrypt", "decrypt"]);
}

function iterationsOf(options: unknown): number {
  if (typeof options !== "object" || options === null) throw invalid(undefined, "The options must be an object. See deriveKey.");
  const { iterations = DEFAULT_ITERATIONS, ...rest } = options as { iterations?: unknown };
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined) throw invalid(unknown, `Unknown option "${clip(unknown)}". See deriveKey.`);
  if (typeof iterations === "number" && Number.isInteger(iterations) && iterations > 0 && iterations < 2 ** 32) return iterations;
  throw invalid("iterations", 'The option "iterations" must be a whole number from 1 to 4294967295.');
}

function invalid(option: string | undefined, message: string): KeyStoreError {
  return new KeyStoreError("INVALID_OPTION", message, { option });
}
