import type { TabMessage } from "./messages.ts";

/** The version of the messages. After a deployment, tabs with old and new code share a browser. */
export const PROTOCOL = 4;

/** The tabs that have the same namespace open. Without BroadcastChannel (old browsers, forbidden storage) a tab receives nothing. */
export class Channel {
  readonly #name: string;
  readonly #onMessage: (message: TabMessage) => void;
  #channel: BroadcastChannel | undefined;

  constructor(name: string, onMessage: (message: TabMessage) => void) {
    this.#name = name;
    this.#onMessage = onMessage;
  }

  open(): void {
    try {
      this.#channel ??= new BroadcastChannel(this.#name);
    } catch {
      // There is none, or Firefox throws a SecurityError where the user forbids the site to store data. Operations reject STORAGE_UNAVAILABLE.
      return;
    }
    this.#channel.onmessage = ({ data }: MessageEvent<(TabMessage & { readonly protocol?: unknown }) | null>) =>
      this.#onMessage(data?.protocol === PROTOCOL ? data : { type: "foreign" });
  }

  post(message: TabMessage): void {
    this.#channel?.postMessage({ protocol: PROTOCOL, ...message });
  }

  close(): void {
    this.#channel?.close();
    this.#channel = undefined;
  }
}
