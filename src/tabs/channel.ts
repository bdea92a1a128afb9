/** What tabs tell each other: never a value, only what is no longer as it was. */
export type Notice =
  /** `instanceId` gives its life sign from now on. */
  | { readonly type: "hello"; readonly instanceId: string }
  /** `instanceId` has committed writes. */
  | { readonly type: "written"; readonly instanceId: string; readonly keys: readonly string[] }
  /** Entries are gone without a write. */
  | { readonly type: "dropped"; readonly keys: readonly string[] }
  | { readonly type: "cleared" }
  | ({ readonly type: "settled" } & SettledWrites);

/** Writes that have left the outbox (confirmed), or that any tab may try again. Key and version of a write have the same index. */
export interface SettledWrites {
  readonly keys: readonly string[];
  readonly versions: readonly number[];
  readonly confirmed: boolean;
}

/** The tabs that have the same namespace open. Without BroadcastChannel (old browsers, forbidden storage) a tab hears nothing. */
export class Channel {
  readonly #name: string;
  readonly #onNotice: (notice: Notice) => void;
  #channel: BroadcastChannel | undefined;

  constructor(name: string, onNotice: (notice: Notice) => void) {
    this.#name = name;
    this.#onNotice = onNotice;
  }

  open(): void {
    if (this.#channel !== undefined || typeof BroadcastChannel === "undefined") return;
    try {
      this.#channel = new BroadcastChannel(this.#name);
    } catch {
      // Firefox throws a SecurityError where the user forbids the site to store data. Operations reject STORAGE_UNAVAILABLE.
      return;
    }
    this.#channel.onmessage = ({ data }: MessageEvent<Notice>) => this.#onNotice(data);
  }

  post(notice: Notice): void {
    this.#channel?.postMessage(notice);
  }

  close(): void {
    this.#channel?.close();
    this.#channel = undefined;
  }
}
