/** Globals of the page of the production tests, besides `keystore` and `store`. */
declare var nats: typeof import("@nats-io/nats-core");
declare var login: typeof import("./page/login.ts");
declare var raw: import("./page/raw-client.ts").RawClient;
