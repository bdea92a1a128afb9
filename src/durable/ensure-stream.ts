import { randomId } from "../util/random-id.ts";
import { KeyStoreError, messageOf } from "../util/errors.ts";
import type { StreamApi, StreamInfo, StreamRequests } from "./stream-api.ts";
import { ErrorCode, isForbidden, StreamRequestError } from "./stream-error.ts";

/** How long a marker stays: 10 years, in nanoseconds. */
const MARKER_NS = 10 * 365 * 86_400e9;

export interface EnsuredStream {
  readonly stream: string;
  readonly created: boolean;
}

/**
 * Creates the stream of the namespace, or checks that it has the namespace's subjects. Does not change a present stream.
 * @throws KeyStoreError STREAM_UNAVAILABLE
 */
export async function ensureStream(api: StreamApi): Promise<EnsuredStream> {
  let isConnected = false;
  try {
    return await api.use(async (requests) => {
      isConnected = true;
      return checked(api, await api.lookUpStream(requests)) ?? (await create(api, requests));
    });
  } catch (error) {
    throw explained(api, error, isConnected);
  }
}

/** Undefined: there is no stream. @throws KeyStoreError where the stream does not have the subjects */
function checked(api: StreamApi, info: StreamInfo | undefined): EnsuredStream | undefined {
  if (info === undefined) return undefined;
  const { name, subjects = [] } = info.config;
  if (subjects.some((subject) => covers(subject, api.subject))) return { stream: name, created: false };
  const actual = subjects.length === 0 ? "no subjects" : `the subjects "${subjects.join('", "')}"`;
  const remedy = `Add the subject to it, or name another stream in the option "durable.stream".`;
  throw unavailable(`The stream "${name}" has ${actual}, not all of "${api.subject}". ${remedy}`);
}

async function create(api: StreamApi, requests: StreamRequests): Promise<EnsuredStream> {
  const { stream, replicas, history } = api.ports.settings.durable;
  try {
    await requests.request(`$JS.API.STREAM.CREATE.${stream}`, {
      name: stream,
      // Unique: a server answers the creation of an equal stream as it answers the first one.
      description: `nas-keystore ${randomId()}`,
      subjects: [api.subject],
      retention: "limits",
      max_msgs_per_subject: history,
      discard: "old",
      storage: "file",
      num_replicas: replicas,
      allow_direct: true,
      // A message that expires leaves a marker, from which other browsers learn that their older entry of the key is gone.
      ...(requests.isAtLeast(2, 11) && { allow_msg_ttl: true, subject_delete_marker_ttl: MARKER_NS }),
      ...(requests.isAtLeast(2, 12) && { allow_atomic: true }),
    });
    return { stream, created: true };
  } catch (error) {
    // Another client may have created a stream since it was looked up.
    const present = await api.lookUpStream(requests).catch(() => undefined);
    const found = checked(api, present);
    if (found !== undefined) return found;
    if (!(error instanceof StreamRequestError) || error.errorCode !== ErrorCode.SUBJECTS_OVERLAP) throw error;
    const [other] = await api.namesOf(requests).catch(() => []);
    const owner = other === undefined ? "Another stream" : `The stream "${other}"`;
    const remedy = `Remove them from that stream, or name it in the option "durable.stream" if it has all subjects of the namespace.`;
    throw unavailable(`${owner} has some of the subjects "${api.subject}". ${remedy}`, error);
  }
}

/** The failure of a request, with what to do about it. */
function explained({ subject, ports }: StreamApi, error: unknown, isConnected: boolean): KeyStoreError {
  const { stream, history, replicas } = ports.settings.durable;
  const cause = error instanceof KeyStoreError ? error.cause : error;
  // Explained already.
  if (error instanceof KeyStoreError && (cause === undefined || cause instanceof StreamRequestError)) return error;
  const reason = messageOf(cause);
  if (!isConnected)
    return unavailable(`No server can be reached (${reason}). Check the option "servers", and call ensureStream() again.`, cause);
  if (cause instanceof StreamRequestError) {
    return unavailable(
      `JetStream has refused the stream "${stream}" (${reason}). Check the limits of the account and "durable.replicas".`,
      cause,
    );
  }
  if (isForbidden(cause)) {
    const options = `--max-msgs-per-subject=${history} --replicas=${replicas} --discard=old --allow-direct --defaults`;
    const command = `nats stream add '${stream}' --subjects='${subject}' ${options}`;
    return unavailable(`The client may not do this (${reason}). Allow it, or have an administrator create the stream: ${command}`, cause);
  }
  // A client that is subscribed to everything keeps a server without JetStream from saying so at once.
  const remedy = "Start nats-server with JetStream (-js), turn it on for the account, and call ensureStream() again.";
  return unavailable(`JetStream does not answer (${reason}). ${remedy}`, cause);
}

function unavailable(message: string, cause?: unknown): KeyStoreError {
  return new KeyStoreError("STREAM_UNAVAILABLE", message, { cause });
}

/** Whether a subject with wildcards contains every subject of another one. */
function covers(wide: string, narrow: string): boolean {
  const [tokens, others] = [wide.split("."), narrow.split(".")];
  const rest = tokens.indexOf(">");
  const compared = rest === -1 ? tokens : tokens.slice(0, rest);
  if (rest === -1 ? others.length !== tokens.length : others.length <= rest) return false;
  return compared.every((token, index) => token === others[index] || (token === "*" && others[index] !== ">"));
}
