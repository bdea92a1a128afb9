/** What the page of the production tests puts there, besides `keystore` and `store`. */
declare var nats: typeof import("nats.ws");
declare var login: typeof import("./page/login.ts");
