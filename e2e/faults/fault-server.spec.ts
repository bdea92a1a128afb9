import type { Page } from "@playwright/test";
import type { NASKeyStore } from "nas-keystore";
import { withDeadline } from "../support/deadline.ts";
import type { Fault, FaultServer, Stage } from "../support/fault-server.ts";
import { expect, test } from "../support/faults.ts";
import type { Outcome as CallOutcome } from "../support/observer.ts";
import type { Wire } from "../support/wire.ts";

const CALLS = ["store", "delete", "bulkStore", "ping", "flush", "close", "idle close"] as const;
type Call = (typeof CALLS)[number];

/** Short for calls that only the timeout ends, otherwise longer than the limit of a test: no such call may wait for the timeout. */
const timeoutOf = (call: Call, { at, how }: Fault): number => (how === "silence" && !isServed(call, at) ? 400 : 600_000);

/** The results of a call during the fault. */
interface Outcome {
  call: CallOutcome<unknown>;
  /** Pending writes after the call, as `key operation`, sorted. Undefined after a close. */
  pending?: string[];
}

const silences: Stage[] = ["accept", "open", "info", "publish", "flush", "close"];
const stagesOfClosing: Stage[] = ["open", "info", "publish", "flush", "close"];
const codes = [1001, 1002, 1008, 1009, 1011];

for (const at of silences) {
  test(`every call settles when the server becomes silent at "${at}"`, async ({
    page,
    nats,
    wire,
    namespace,
    startFaultServer,
    consoleGuard,
  }) => {
    consoleGuard.allowFailedSockets();
    await callDuringFault({ page, wire, namespace, server: await startFaultServer(nats), fault: { at, how: "silence" } });
  });
}

for (const code of codes) {
  test(`every call settles when the server closes with ${code} at any moment`, async ({
    page,
    nats,
    wire,
    namespace,
    startFaultServer,
    consoleGuard,
  }) => {
    consoleGuard.allowFailedSockets();
    const server = await startFaultServer(nats);
    for (const at of stagesOfClosing) {
      await callDuringFault({ page, wire, namespace: `${namespace}-${at}`, server, fault: { at, how: code } });
    }
  });
}

test("a store retries a server that closes connections immediately, and publishes when the server works again", async ({
  page,
  nats,
  wire,
  namespace,
  startFaultServer,
  consoleGuard,
}) => {
  consoleGuard.allowFailedSockets();
  await callDuringFault({ page, wire, namespace, server: await startFaultServer(nats), fault: { at: "accept", how: "hang-up" } });
});

test("a store connects to a server that works again although an earlier handshake still hangs", async ({
  page,
  nats,
  wire,
  namespace,
  startFaultServer,
  consoleGuard,
}) => {
  consoleGuard.allowFailedSockets();
  const server = await startFaultServer(nats);
  server.fault = { at: "accept", how: "silence" };
  expect(
    await page.evaluate(
      ([servers, namespace]) => {
        globalThis.store = new keystore.NASKeyStore({ servers, namespace, timeoutMs: 400 });
        return store.store("a", 1);
      },
      [server.wsUrl, namespace] as const,
    ),
  ).toBe(false);
  await server.faulted(0);

  // The old connection stays half-open: the browser gets no event.
  server.fault = undefined;
  await expect.poll(() => wire.messages.length, "published in the background").toBe(1);
});

test("no call is delayed by an attempt that the server closed before INFO", async ({
  page,
  nats,
  wire,
  namespace,
  startFaultServer,
  consoleGuard,
}) => {
  consoleGuard.allowFailedSockets();
  const server = await startFaultServer(nats);
  server.fault = { at: "open", how: 1001 };
  const stored = await page.evaluate(
    ([servers, namespace]) => {
      // Longer than the limit of the test: the store must not wait for the timeout, since the server has closed the connection.
      globalThis.store = new keystore.NASKeyStore({ servers, namespace, timeoutMs: 3_600_000 });
      return store.store("a", 1);
    },
    [server.wsUrl, namespace] as const,
  );
  expect(stored).toBe(false);

  server.fault = undefined;
  expect(await page.evaluate(() => store.flush()), "flush() tries at once").toEqual({ published: 1, pending: 0, rejected: 0 });
  await wire.waitFor(1);
});

/** Makes each call with a new store during the fault, then checks that a store on a working server publishes every write. */
async function callDuringFault({
  page,
  wire,
  namespace,
  server,
  fault,
}: {
  page: Page;
  wire: Wire;
  namespace: string;
  server: FaultServer;
  fault: Fault;
}): Promise<void> {
  const problems: string[] = [];
  const note = (error: unknown): void => void problems.push((error as Error).message);
  const check = (work: () => void): void => {
    try {
      work();
    } catch (error) {
      note(error);
    }
  };

  for (const call of CALLS) {
    const space = `${namespace}-${call.replace(" ", "-")}`;
    const what = `${fault.how} at ${fault.at}, ${call}`;
    server.fault = undefined;
    await prepare(page, server, space, call);
    server.fault = fault;
    const outcome = await makeCall(page, { servers: server.wsUrl, namespace: space, timeoutMs: timeoutOf(call, fault) }, call);

    // A server that fails when the client closes has read all messages.
    const reads = fault.at === "close";
    const queued = reads ? [] : pendingAfter(call);
    check(() => expect(outcome.call.error, what).toBeUndefined());
    check(() => expect(outcome.call.value, what).toEqual(expectedValue(call, fault.at)));
    if (outcome.pending !== undefined) check(() => expect(outcome.pending, `${what}: pending writes`).toEqual(queued));
    if (call === CALLS[0]) {
      const sockets = (): Promise<unknown> => page.evaluate(() => observer.openSockets());
      await expect.poll(sockets, `${what}: sockets left`).toEqual({ connecting: 0, open: 0 }).catch(note);
    }
    // Ends handshakes that hang, as the end of the server process does. Another test leaves them open.
    server.hangUp();
    await withDeadline(server.idle(), () => `${what}: ${server.open} connections are left`);
    server.fault = undefined;
    await publishPending(page, server, space);
    await wire.settled();
    for (const [key, operation] of reads ? [] : writesOf(call)) {
      const messages = wire.messages.filter(({ subject }) => subject === `_kv.${space}.key.${key}`);
      check(() => expect(messages.at(-1)?.envelope?.operation, `${what}: last of ${key}`).toBe(operation));
    }
  }
  expect(problems.join("\n\n"), `${problems.length} problems`).toBe("");
}

/** Stores the entry that `delete` deletes, and queues the write that `flush` publishes. */
async function prepare(page: Page, server: FaultServer, namespace: string, call: Call): Promise<void> {
  await page.evaluate(
    async ([servers, namespace, call]) => {
      const online = new keystore.NASKeyStore({ servers, namespace, timeoutMs: aids.LONG_MS });
      if (!(await online.store("there", 1))) throw new Error("The server does not work");
      await online.close();
      if (call !== "flush") return;
      // A store whose connection fails without a socket.
      const connect = (): Promise<never> => Promise.reject(new Error("Not now"));
      const offline = new keystore.NASKeyStore({ servers, namespace, connect });
      await offline.store("waiting", 1);
      await offline.close();
    },
    [server.wsUrl, namespace, call] as const,
  );
}

function makeCall(page: Page, options: { servers: string; namespace: string; timeoutMs: number }, call: Call): Promise<Outcome> {
  return page.evaluate(
    async ([options, call]): Promise<Outcome> => {
      const calls: Record<typeof call, () => Promise<unknown>> = {
        store: () => store.store("a", 1),
        delete: () => store.delete("there"),
        bulkStore: async () =>
          Object.fromEntries(
            await store.bulkStore([
              ["a", 1],
              ["b", 2],
            ]),
          ),
        ping: () => store.ping(),
        flush: async () => (await store.flush()).pending,
        close: async () => {
          const stored = store.store("a", 1);
          await store.close();
          return stored;
        },
        "idle close": async () => {
          await store.ping();
          await store.close();
          return "closed";
        },
      };
      const store: NASKeyStore = new keystore.NASKeyStore({ ...options, lingerMs: call === "idle close" ? aids.LONG_MS : 0 });
      const outcome = await observer.outcome(calls[call]);
      const open = !call.endsWith("close");
      const waiting = open ? (await store.pendingWrites()).map(({ key, operation }) => `${key} ${operation}`).toSorted() : undefined;
      await store.close();
      return {
        call: outcome,
        ...(waiting === undefined ? undefined : { pending: waiting }),
      };
    },
    [options, call] as const,
  );
}

async function publishPending(page: Page, server: FaultServer, namespace: string): Promise<void> {
  const left = await page.evaluate(
    async ([servers, namespace]) => {
      const online = new keystore.NASKeyStore({ servers, namespace, timeoutMs: aids.LONG_MS });
      const { pending } = await online.flush();
      await online.close();
      return pending;
    },
    [server.wsUrl, namespace] as const,
  );
  expect(left, `${namespace}: pending although the server works`).toBe(0);
}

/** Whether the server has served the call before it fails at a stage. */
function isServed(call: Call, at: Stage): boolean {
  if (call === "ping") return at === "close" || at === "publish"; // it publishes nothing
  return at === "close";
}

function expectedValue(call: Call, at: Stage): unknown {
  const reads = at === "close";
  switch (call) {
    case "store":
    case "close":
      return reads;
    case "delete":
      return true;
    case "bulkStore":
      return { a: reads, b: reads };
    case "ping":
      return isServed(call, at);
    case "flush":
      return reads ? 0 : 1;
    case "idle close":
      return "closed";
  }
}

function writesOf(call: Call): [key: string, operation: string][] {
  switch (call) {
    case "store":
    case "close":
      return [["a", "store"]];
    case "delete":
      return [["there", "delete"]];
    case "bulkStore":
      return [
        ["a", "store"],
        ["b", "store"],
      ];
    case "flush":
      return [["waiting", "store"]];
    default:
      return [];
  }
}

function pendingAfter(call: Call): string[] {
  return writesOf(call).map((write) => write.join(" "));
}
