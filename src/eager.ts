/** The same exports as `nas-keystore`, with every part imported statically: for places without `import()`. */
import { connect } from "nats.ws";

import { natsClient } from "./network/nats-client.ts";
import { writeSidePart } from "./runtime/runtime.ts";
import * as writeSide from "./runtime/write-side.ts";
import * as gzip from "./values/gzip.ts";
import { structuredPart } from "./values/formats.ts";
import { gzipPart } from "./values/gzip-part.ts";
import * as structured from "./values/structured.ts";

natsClient.loaded = { connect };
gzipPart.loaded = gzip;
structuredPart.loaded = structured;
writeSidePart.loaded = writeSide;

export * from "./index.ts";
