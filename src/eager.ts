/** The same exports as `nas-keystore`, with every part imported statically: for places without `import()`. */
import { connect } from "nats.ws";

import { ensureStream, KeyFetcher, pull, pulledTo, readPulled, StreamApi, StreamPublisher, StreamWriter } from "./durable/durable.ts";
import { natsClient } from "./network/nats-client.ts";
import { LoadOnce } from "./read/load-once.ts";
import { loadOncePart } from "./read/load-once-part.ts";
import { SchemaChecks } from "./read/schema-checks.ts";
import { schemaPart } from "./read/lazy-schema-checks.ts";
import { writeSidePart } from "./runtime/runtime.ts";
import { durablePart } from "./runtime/durable-part.ts";
import { transferPart } from "./runtime/transfer-part.ts";
import { deleteNamespace, deriveKey, openWriteSide } from "./runtime/write-side.ts";
import { exportEntries, importEnvelopes } from "./transfer/transfer.ts";
import { decompress, gzip, readCompressed } from "./values/compressed-payload.ts";
import { decrypt, decryptIfLoaded, encrypterOf, endKeyWaits, findKey, pbkdf2Key, verifyEncrypted } from "./values/encryption.ts";
import { encryptionPart } from "./values/encryption-part.ts";
import { structuredPart } from "./values/formats.ts";
import { gzipPart } from "./values/gzip-part.ts";
import { decodeStructured, encodeStructured } from "./values/structured.ts";

natsClient.loaded = { connect };
encryptionPart.loaded = { decrypt, decryptIfLoaded, encrypterOf, endKeyWaits, findKey, pbkdf2Key, verifyEncrypted };
gzipPart.loaded = { decompress, gzip, readCompressed };
schemaPart.loaded = { SchemaChecks };
structuredPart.loaded = { decodeStructured, encodeStructured };
durablePart.loaded = { ensureStream, KeyFetcher, pull, pulledTo, readPulled, StreamApi, StreamPublisher, StreamWriter };
transferPart.loaded = { exportEntries, importEnvelopes };
loadOncePart.loaded = { LoadOnce };
writeSidePart.loaded = { deleteNamespace, deriveKey, openWriteSide };

export * from "./index.ts";
