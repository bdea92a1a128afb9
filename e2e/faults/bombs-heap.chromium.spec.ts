import { byForm } from "../support/fault-run.ts";
import { expect, test } from "../support/faults.ts";
import { CHUNK, generateAndRead, prepareForMalformedRows } from "../support/malformed-rows.ts";

const GENERATED = byForm(250, 2_500);
const MIB = 2 ** 20;

test(`the heap stays bounded while ${GENERATED} malformed rows and gzip bombs are read`, async ({ page, nats, namespace, random }) => {
  await prepareForMalformedRows(page, nats.wsUrl, namespace);
  const devtools = await page.context().newCDPSession(page);
  const heap = async (): Promise<number> => {
    await devtools.send("HeapProfiler.collectGarbage");
    const usage = await devtools.send("Runtime.getHeapUsage");
    return usage.usedSize + (usage.backingStorageSize ?? 0);
  };

  const before = await heap();
  let peak = 0;
  for (let done = 0; done < GENERATED; done += CHUNK) {
    const count = Math.min(CHUNK, GENERATED - done);
    const report = await page.evaluate(generateAndRead, {
      servers: nats.wsUrl,
      namespace,
      seed: random.int(0, 2 ** 31),
      count,
      bombs: 0.06,
    });
    expect(report.failures).toEqual([]);
    peak = Math.max(peak, report.peakHeapBytes);
    expect((await heap()) - before, `bytes of heap kept after ${done + CHUNK}`).toBeLessThan(16 * MIB);
  }
  console.log(`Heap at most ${Math.round((peak - before) / MIB)} MiB above the start`);
  // Includes garbage that is not collected yet. The bombs would take gigabytes.
  expect(peak - before, "bytes of heap at the worst moment").toBeLessThan(512 * MIB);
});
