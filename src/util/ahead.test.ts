import { expect, it } from "vitest";
import { ahead } from "./ahead.ts";

async function* numbered(log: string[], count: number): AsyncGenerator<number, void> {
  try {
    for (let n = 1; n <= count; n++) {
      log.push(`asked ${n}`);
      yield n;
    }
    throw new Error("no more");
  } finally {
    log.push("closed");
  }
}

it("asks for the next item while one is used, and throws the error of the source in its place", async () => {
  const log: string[] = [];
  const use = async (): Promise<void> => {
    for await (const n of ahead(numbered(log, 2))) {
      await Promise.resolve();
      log.push(`used ${n}`);
    }
  };
  await expect(use()).rejects.toThrow("no more");
  expect(log).toEqual(["asked 1", "asked 2", "used 1", "closed", "used 2"]);
});

it("closes the source when its items are not used any more", async () => {
  const log: string[] = [];
  for await (const n of ahead(numbered(log, 9))) if (n === 2) break;
  expect(log.at(-1)).toBe("closed");
});
