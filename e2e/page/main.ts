import * as lib from "nas-keystore";
import * as aids from "./aids.ts";

globalThis.keystore = lib;
globalThis.aids = aids;
document.body.dataset["ready"] = "true";
