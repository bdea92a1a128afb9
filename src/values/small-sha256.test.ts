import fc from "fast-check";
import { expect, it } from "vitest";
import { sha256Of } from "../testing/rows.ts";
import { smallSha256 } from "./small-sha256.ts";

it("The hash is that of node:crypto for every length around the block size and the limit for small payloads", () => {
  for (const length of [...Array(260).keys(), 1000, 1023, 1024, 1025, 5000]) {
    const bytes = Uint8Array.from({ length }, (_, n) => n * 31 + length);
    expect(smallSha256(bytes), `${length} bytes`).toBe(sha256Of(bytes));
  }
});

it("The hash is that of node:crypto for any bytes, also for a view on a larger buffer", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(20), (bytes, start) => {
      const view = bytes.subarray(Math.min(start, bytes.length));
      expect(smallSha256(view)).toBe(sha256Of(view));
    }),
  );
});
