/** The same exports as `nas-keystore`, with every part imported statically: for places without `import()`. */
import { connect } from "nats.ws";

import { natsClient } from "./network/nats-client.ts";
import { writeSidePart } from "./runtime/runtime.ts";
import { deleteDatabase, openWriteSide } from "./runtime/write-side.ts";
import { gunzip, gzip } from "./values/gzip.ts";
import { structuredPart } from "./values/formats.ts";
import { gzipPart } from "./values/gzip-part.ts";
import { decodeStructured, encodeStructured } from "./values/structured.ts";

natsClient.loaded = { connect };
gzipPart.loaded = { gunzip, gzip };
structuredPart.loaded = { decodeStructured, encodeStructured };
writeSidePart.loaded = { deleteDatabase, openWriteSide };

export * from "./index.ts";
