import { NASKeyStore } from "nas-keystore";
import { serveStore } from "./store-worker.ts";

serveStore(NASKeyStore);
