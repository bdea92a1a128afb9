import { loaded } from "../util/load.ts";

/** nats.ws, which loads with the first connection. `nas-keystore/eager` brings it along and puts it in here. */
export const natsClient: { load: () => Promise<Pick<typeof import("nats.ws"), "connect">> } = {
  // Taken apart, so that bundlers can leave out the rest.
  load: () => loaded(import("nats.ws").then(({ connect }) => ({ connect }))),
};
