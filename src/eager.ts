/** The same exports as `nas-keystore`, with everything in it that otherwise loads later. */
import { connect } from "nats.ws";

import * as compression from "./values/compression.ts";
import * as structured from "./values/structured.ts";
import { lazy } from "./values/lazy.ts";
import { natsClient } from "./network/nats-client.ts";
import { parts } from "./runtime/runtime.ts";
import * as writeSide from "./runtime/write-side.ts";

natsClient.load = () => Promise.resolve({ connect });
lazy.compression = () => Promise.resolve(compression);
lazy.structured = () => Promise.resolve(structured);
parts.writeSide = () => Promise.resolve(writeSide);

export * from "./index.ts";
