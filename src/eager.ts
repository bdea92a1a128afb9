/** The same exports as `nas-keystore`, with everything in it that otherwise loads with its first use. */
import { Gunzip, gzipSync } from "fflate";
import { connect } from "nats.ws";

import * as structured from "./entry/structured.ts";
import { lazy } from "./lazy.ts";
import { parts } from "./rooms.ts";
import * as writeSide from "./write-side.ts";

lazy.nats = () => Promise.resolve({ connect });
lazy.fflate = () => Promise.resolve({ Gunzip, gzipSync });
lazy.structured = () => Promise.resolve(structured);
parts.writeSide = () => Promise.resolve(writeSide);

export * from "./index.ts";
