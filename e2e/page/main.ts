import * as lib from "nas-keystore";

globalThis.keystore = lib;
document.body.dataset["ready"] = "true";
