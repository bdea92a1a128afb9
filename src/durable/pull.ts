import type { PullResult } from "../model/pull-result.ts";
import { assertKey } from "../model/key.ts";
import { compilePattern } from "../model/pattern.ts";
import { keyOf, streamSubject, subjectOf } from "../model/subject.ts";
import type { PullOptions } from "../options/types.ts";
import { newestRevision } from "../storage/entries/revisions.ts";
import { REVISIONS } from "../storage/idb/schema.ts";
import { abortable } from "../util/abort.ts";
import { ahead } from "../util/ahead.ts";
import { batches } from "../util/batches.ts";
import { report } from "../util/progress.ts";
import { applyMessages, prepareMessages, type ApplyPorts, type PreparedMessages } from "./apply-messages.ts";
import { forgetRevisions } from "./forget-revisions.ts";
import { CONCURRENT_REQUESTS, oneByOne } from "./last-messages.ts";
import { beginPull, isOfStream, notePulled, pulledTo, readPulled, type Pulled, type PullProgress } from "./pull-sequence.ts";
import type { StreamApi, StreamInfo, StreamRequests } from "./stream-api.ts";
import { streamBatches } from "./stream-batches.ts";
import { asUnavailable } from "./stream-error.ts";
import type { StreamMessage } from "./stream-message.ts";

export interface PullPorts extends ApplyPorts {
  readonly api: StreamApi;
  readonly state: PullState;
  /** Asks the browser to keep the storage, if the store's options say so. */
  readonly persist: () => void;
}

/** What an engine knows of its pulls. */
export interface PullState {
  /** The revision up to which the database has all keys. It may have more. */
  pulledTo: number;
  /** Resolves when earlier pulls have ended. */
  turn: Promise<unknown>;
}

type Counts = Omit<PullResult, "revision">;

/** @throws KeyStoreError STREAM_UNAVAILABLE, QUOTA_EXCEEDED, STORAGE_UNAVAILABLE and those of the encryption key; the signal's reason */
export async function pull(ports: PullPorts, options: PullOptions): Promise<PullResult> {
  const { api, persist, state } = ports;
  const { signal } = options;
  signal?.throwIfAborted();
  persist();
  const earlier = state.turn;
  const work = (requests: StreamRequests): Promise<PullResult> => new Pull(ports, requests, options).run();
  const own = abortable(signal, () => earlier).then(() => api.use(work));
  state.turn = Promise.allSettled([earlier, own]);
  try {
    // What is under way ends at its next step.
    return await abortable(signal, () => own);
  } catch (error) {
    signal?.throwIfAborted();
    throw asUnavailable(error);
  }
}

/** One pull: batch after batch. While one is committed, the next is verified, and the one after it requested. */
class Pull {
  readonly #ports: PullPorts;
  readonly #requests: StreamRequests;
  readonly #options: PullOptions;
  readonly #pattern: string;
  readonly #counts: Counts = { applied: 0, deleted: 0, skipped: 0, rejected: 0 };

  /** What is committed and not remembered yet. */
  #unnoted: PullProgress | undefined;
  #noting = Promise.resolve();

  constructor(ports: PullPorts, requests: StreamRequests, options: PullOptions) {
    this.#ports = ports;
    this.#requests = requests;
    this.#options = options;
    this.#pattern = options.pattern ?? "*";
  }

  async run(): Promise<PullResult> {
    const { api, database, state } = this.#ports;
    const { full = false, onProgress, signal } = this.#options;
    // Must be read first: other tabs pull on.
    const earlier = await readPulled(database);
    const newest = earlier === undefined ? await database.run([REVISIONS], "readonly", newestRevision) : 0;
    const info = await api.findStream(this.#requests);
    const isGone = earlier === undefined ? newest > info.state.last_seq : !isOfStream(earlier, info);
    if (isGone) {
      await forgetRevisions(database);
      state.pulledTo = 0;
    }
    const pulled = await beginPull(database, info, isGone ? earlier?.id : undefined);
    await this.#pullAgain(info, pulled);

    const from = (full ? 0 : pulledTo(pulled, this.#pattern)) + 1;
    let revision = Math.max(info.state.last_seq, from - 1);
    let done = 0;
    let committing = Promise.resolve();
    try {
      const found = streamBatches(this.#requests, { info, subject: this.#subject, from, signal });
      for await (const { messages, upTo, pending } of ahead(found)) {
        const wanted = this.#matching(messages);
        const prepared = await prepareMessages(this.#ports, wanted, signal);
        await committing;
        revision = Math.max(revision, upTo);
        committing = this.#commit(pulled, prepared, upTo).then(() => {
          done += messages.length;
          report(onProgress, done, done + pending);
        });
        // Its error is thrown when it is awaited.
        committing.catch(() => undefined);
      }
    } finally {
      // The rest is remembered even if a commit has failed.
      await Promise.allSettled([committing]);
      await this.#noting;
    }
    await committing;
    return { ...this.#counts, revision };
  }

  /** Asks for the last messages of keys that were skipped for an unconfirmed write. */
  async #pullAgain(info: StreamInfo, pulled: Pulled): Promise<void> {
    const { namespace } = this.#ports.settings;
    for (const keys of batches(pulled.again, CONCURRENT_REQUESTS)) {
      const subjects = keys.map((key) => subjectOf(namespace, key));
      const messages = await oneByOne(this.#requests, info.config.name, subjects);
      await this.#commit(pulled, await prepareMessages(this.#ports, messages, this.#options.signal), pulledTo(pulled, this.#pattern), keys);
    }
  }

  async #commit(pulled: Pulled, prepared: PreparedMessages, upTo: number, asked: readonly string[] = []): Promise<void> {
    const { again, ...counts } = await applyMessages(this.#ports, prepared, this.#options.signal);
    this.#counts.rejected += prepared.rejected;
    for (const name of ["applied", "deleted", "skipped"] as const) this.#counts[name] += counts[name];
    this.#note(pulled, { pattern: this.#pattern, upTo, asked, again });
  }

  /** Remembers the progress once the disk has taken what came before. The next batches do not wait for that. */
  #note(pulled: Pulled, progress: PullProgress): void {
    const isWaiting = this.#unnoted !== undefined;
    const { asked = [], again = [] } = this.#unnoted ?? {};
    this.#unnoted = { ...progress, asked: [...asked, ...progress.asked], again: [...again, ...progress.again] };
    if (isWaiting) return;
    const { database, state } = this.#ports;
    this.#noting = this.#noting.then(async () => {
      const unnoted = this.#unnoted as PullProgress;
      this.#unnoted = undefined;
      const noted = await notePulled(database, pulled, unnoted);
      if (noted !== undefined) state.pulledTo = pulledTo(noted, "*");
    });
    // Its error is thrown when it is awaited.
    this.#noting.catch(() => undefined);
  }

  #matching(messages: readonly StreamMessage[]): readonly StreamMessage[] {
    if (this.#pattern === "*") return messages;
    const { matches } = compilePattern(this.#pattern);
    return messages.filter(({ subject }) => {
      const key = keyOf(this.#ports.settings.namespace, subject);
      return key === undefined || matches(key);
    });
  }

  /** Of one key, or of all of them: a subject has no patterns of characters. */
  get #subject(): string {
    const { namespace } = this.#ports.settings;
    try {
      if (compilePattern(this.#pattern).prefix !== this.#pattern) return streamSubject(namespace);
      assertKey(this.#pattern);
      return subjectOf(namespace, this.#pattern);
    } catch {
      return streamSubject(namespace);
    }
  }
}
