import { NASKeyStore, type KeyMetadata } from "nas-keystore";
import { KeyStoreError } from "nas-keystore/eager";

await using store = new NASKeyStore({ servers: "ws://localhost:9222" });
const metadata: KeyMetadata | undefined = await store.getMetadata("key");
if (metadata === undefined) throw new KeyStoreError("CLOSED", "");
