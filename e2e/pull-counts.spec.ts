import { expect, openDurable, pullIn, test } from "./support/durable.ts";
import { deleteOf, envelopeOf } from "./support/envelopes.ts";
import { natsServers } from "./support/nats-servers.ts";
import { storedEntries } from "./support/stored-entries.ts";

const KEYS = 2_000;
/** Answers to the requests of a pull that are no messages of the stream: those about the stream and a consumer, and the ends of batches. */
const MOST_ANSWERS = 10;

for (const tested of natsServers) {
  test(`a pull after 100 changes in a store of ${KEYS} entries transfers 100 messages, on ${tested.title}`, async ({
    page,
    startStream,
    namespace,
  }) => {
    const { server, stream } = await startStream(tested);
    await stream.publishAll(Array.from({ length: KEYS }, (_, n) => envelopeOf(`k${n}`, { n })));
    await openDurable(page, { servers: server.wsUrl, namespace });
    const transfersOf = async (work: () => Promise<unknown>): Promise<number> => {
      const before = await server.sentToWebSockets();
      await work();
      return (await server.sentToWebSockets()) - before;
    };

    let result = {};
    const first = await transfersOf(async () => (result = await pullIn(page)));
    expect(result).toEqual({ applied: KEYS, deleted: 0, skipped: 0, rejected: 0, revision: KEYS });
    expect(first, "messages of the first pull").toBeGreaterThanOrEqual(KEYS);
    expect(first, "messages of the first pull").toBeLessThanOrEqual(KEYS + MOST_ANSWERS);

    await stream.publishAll([
      ...Array.from({ length: 50 }, (_, n) => envelopeOf(`k${n * 7}`, { n: -n }, { version: 2 })),
      ...Array.from({ length: 20 }, (_, n) => envelopeOf(`new-${n}`, { n })),
      ...Array.from({ length: 15 }, (_, n) => deleteOf(`k${n * 7 + 1}`, 2)),
      ...Array.from({ length: 10 }, (_, n) => deleteOf(`absent-${n}`, 1)),
      ...Array.from({ length: 5 }, (_, n) => envelopeOf(`damaged-${n}`, { n }, { checksum: "0".repeat(64) })),
    ]);
    const second = await transfersOf(async () => (result = await pullIn(page)));
    expect(result).toEqual({ applied: 70, deleted: 15, skipped: 10, rejected: 5, revision: KEYS + 100 });
    expect(second, "messages of the second pull").toBeGreaterThanOrEqual(100);
    expect(second, "messages of the second pull").toBeLessThanOrEqual(100 + MOST_ANSWERS);

    const none = await transfersOf(async () => (result = await pullIn(page)));
    expect(result).toEqual({ applied: 0, deleted: 0, skipped: 0, rejected: 0, revision: KEYS + 100 });
    expect(none, "messages of a pull without changes").toBeLessThanOrEqual(MOST_ANSWERS);

    const entries = await storedEntries(page);
    expect(entries.size).toBe(KEYS + 20 - 15);
    expect(entries.get("k7")).toMatchObject({ value: '{"n":-1}', version: 2, revision: KEYS + 2 });
    expect((await stream.state()).consumer_count).toBe(0);
  });
}
