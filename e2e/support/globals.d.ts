/** What e2e/page puts there, for tests to use inside `page.evaluate`. */
declare var keystore: typeof import("nas-keystore");
