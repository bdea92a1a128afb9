import * as lib from "nas-keystore";
import * as login from "./login.ts";

globalThis.keystore = lib;
// A dynamic import, so that the NATS client loads late, as the library loads its own.
globalThis.nats = await import("@nats-io/nats-core");
globalThis.login = login;
document.body.dataset["ready"] = "true";
