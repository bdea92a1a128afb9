import * as lib from "nas-keystore";
import * as login from "./login.ts";

globalThis.keystore = lib;
// A dynamic import, so that nats.ws loads at the first publish, as the library loads it.
globalThis.nats = await import("nats.ws");
globalThis.login = login;
document.body.dataset["ready"] = "true";
