/** What a snippet gets from the test that runs it. */
export interface SnippetContext {
  /** The WebSocket address of a nats-server. Takes the place of "ws://localhost:9222". */
  readonly server: string;
  /** Its address for clients over TCP. Takes the place of "nats://localhost:4222". */
  readonly tcpServer: string;
  /** Unique for each run. */
  readonly namespace: string;
  /** Fails the test unless the two values are equal as JSON. */
  readonly check: (actual: unknown, expected: unknown) => void;
  /** Waits for the condition, which it asks again and again. */
  readonly settled: (isTrue: () => boolean | Promise<boolean>) => Promise<void>;
  /** A store in a browser stores `user:123` in the namespace `my_app`, then deletes it. */
  readonly publish: () => Promise<void>;
}
