import { loaded } from "../util/load.ts";

/** The stages that load with their first use. `nas-keystore/eager` imports them statically and replaces these functions. */
export const lazy: {
  compression: () => Promise<typeof import("./compression.ts")>;
  structured: () => Promise<typeof import("./structured.ts")>;
} = {
  compression: () => loaded(import("./compression.ts")),
  structured: () => loaded(import("./structured.ts")),
};
