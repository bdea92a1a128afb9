import type { StreamPublisher } from "../durable/stream-publisher.ts";
import { Failover } from "../network/failover.ts";
import { NatsTransport } from "../network/nats-transport.ts";
import type { Connect } from "../network/shared-connection.ts";
import type { Transport, TransportListener } from "../network/transport.ts";
import type { Settings } from "../options/defaults.ts";
import type { Clock } from "../util/clock.ts";
import { durablePart } from "./durable-part.ts";

/** An attempt to connect in the background may take longer than a call: browsers delay handshakes after failures. */
const CONNECT_TIMEOUT_MS = 6_000;

/** The transport of an engine: core NATS confirms a message that the server has read; in durable mode, JetStream one that the stream has. */
export function openTransport(settings: Settings, clock: Clock, listener: TransportListener): Transport {
  const { timeoutMs, lingerMs, servers, connection, connect, durable } = settings;
  const backgroundMs = Math.max(timeoutMs, CONNECT_TIMEOUT_MS);
  const { open, hosts } = new Failover({ clock, servers, connection, connect, timeoutMs, backgroundMs });
  const options = { clock, timeoutMs, lingerMs, hosts };
  if (durable === undefined) return new NatsTransport(open, listener, options);

  let publisher: StreamPublisher | undefined;
  // Without the part, nothing can be published: there is no connection.
  const openWithPart: Connect = async (isUnwanted) => {
    const { StreamPublisher: Publisher } = await durablePart.load();
    // Where a stream keeps older messages of a key, the expiry of the newest one would bring back an older value.
    publisher ??= new Publisher(clock, { mayExpire: durable.history === 1 });
    return open(isUnwanted);
  };
  durablePart.load().catch(() => undefined);
  return new NatsTransport(openWithPart, listener, options, (...batch) => (publisher as StreamPublisher).begin(...batch));
}
