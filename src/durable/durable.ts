/** What durable mode loads with its first write, pull or request. */
export { ensureStream } from "./ensure-stream.ts";
export { KeyFetcher } from "./key-fetcher.ts";
export { pull } from "./pull.ts";
export { pulledTo, readPulled } from "./pull-sequence.ts";
export { StreamApi } from "./stream-api.ts";
export { StreamPublisher } from "./stream-publisher.ts";
export { StreamWriter } from "./stream-writer.ts";
