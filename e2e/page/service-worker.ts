import { NASKeyStore } from "nas-keystore/eager";
import { serveStore } from "./store-worker.ts";

serveStore(NASKeyStore);
