import * as lib from "nas-keystore";
import * as login from "./login.ts";

globalThis.keystore = lib;
// Not a static import: that would make the app load at its start what the library loads at the first publish.
globalThis.nats = await import("nats.ws");
globalThis.login = login;
document.body.dataset["ready"] = "true";
