/** The same exports as `nas-keystore`, with everything in it that otherwise loads later. */
import { connect } from "nats.ws";

import * as compression from "./entry/compression.ts";
import * as structured from "./entry/structured.ts";
import { lazy } from "./lazy.ts";
import { natsClient } from "./network/nats-client.ts";
import { parts } from "./rooms.ts";
import * as writeSide from "./write-side.ts";

natsClient.load = () => Promise.resolve({ connect });
lazy.compression = () => Promise.resolve(compression);
lazy.structured = () => Promise.resolve(structured);
parts.writeSide = () => Promise.resolve(writeSide);

export * from "./index.ts";
