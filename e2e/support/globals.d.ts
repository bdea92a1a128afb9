/** Globals of the e2e page, for tests to use inside `page.evaluate`. */
declare var keystore: typeof import("nas-keystore");
declare var aids: typeof import("../page/aids.ts");
/** The last store of `aids.openStore`, and its events so far. */
declare var store: import("nas-keystore").NASKeyStore;
declare var events: import("../page/aids.ts").Noted[];
