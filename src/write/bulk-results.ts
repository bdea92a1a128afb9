import type { Commit } from "../storage/commit/draft.ts";
import { unlessAborted } from "../util/abort.ts";
import type { WriterPorts } from "./writer.ts";

/** The results of a bulk call, key by key, as its slices are committed and published. */
export class Results {
  /** Committed keys → whether the server has confirmed the write. */
  readonly confirmed = new Map<string, boolean>();
  readonly #ports: Pick<WriterPorts, "committer" | "publisher">;
  readonly #signal: AbortSignal | undefined;
  readonly commits: Commit[] = [];
  readonly #outcomes: Promise<unknown>[] = [];

  constructor(ports: Pick<WriterPorts, "committer" | "publisher">, signal: AbortSignal | undefined) {
    this.#ports = ports;
    this.#signal = signal;
  }

  add(commits: readonly Commit[]): void {
    for (const commit of commits) {
      const { key } = commit.draft;
      this.confirmed.set(key, false);
      this.commits.push(commit);
      const outcome = this.#ports.publisher.outcome(commit).then((isConfirmed) => this.confirmed.set(key, isConfirmed));
      this.#outcomes.push(outcome.catch(() => undefined));
    }
  }

  /** Resolves when each write has its result. An aborted signal ends the wait, once all commits are on the disk. */
  async settled(): Promise<void> {
    // One listener for the whole call: a signal must not get one for each key.
    await unlessAborted<unknown>(Promise.all(this.#outcomes), this.#signal, () => undefined);
    if (this.#signal?.aborted === true) await Promise.all(this.commits.map((commit) => this.#ports.committer.durable(commit)));
  }
}
