import { byForm } from "../support/fault-run.ts";
import { expect, test } from "../support/faults.ts";
import { CHUNK, generateAndRead, prepareForMalformedRows } from "../support/malformed-rows.ts";

const GENERATED = byForm(750, 10_000);

test(`a read of each of ${GENERATED} malformed rows rejects with a typed error`, async ({ page, nats, namespace, random }) => {
  await prepareForMalformedRows(page, nats.wsUrl, namespace);
  const failures: string[] = [];
  const kinds = new Set<string>();
  for (let done = 0; done < GENERATED; done += CHUNK) {
    const count = Math.min(CHUNK, GENERATED - done);
    const report = await page.evaluate(generateAndRead, {
      servers: nats.wsUrl,
      namespace,
      seed: random.int(0, 2 ** 31),
      count,
      bombs: 0.02,
    });
    failures.push(...report.failures);
    for (const kind of report.kinds) kinds.add(kind);
  }
  console.log(`${GENERATED} malformed rows of ${kinds.size} kinds`);
  expect(failures).toEqual([]);
});
