import type { Engine } from "../scripts/lib/browsers.mjs";

/** The differences between engines that matter to the bench. */
export interface EngineTraits {
  readonly name: string;
  readonly screen: "headless" | "on a virtual display";
  /** WebSockets that a page may open at the same time. */
  readonly mostSockets: number;
  /** The place of IndexedDB, unless `--incognito` is given. */
  readonly indexedDb: "on the disk" | "in memory";
  /** Rows that are not measured in this engine, with the reason. */
  readonly leftOut: Readonly<Record<string, string>>;
}

const NOT_CHROMIUM = {
  heap: "the heap is read over Chromium's DevTools",
  size: "the size does not depend on the engine",
};

const ONE_PAGE = "it takes two pages of one session, the driver opens one";

export const TRAITS: Readonly<Record<Engine, EngineTraits>> = {
  chromium: {
    name: "Chromium",
    screen: "headless",
    // Refuses the 256th WebSocket of a page that is not open yet. WebSockets that are closing seem to count too.
    mostSockets: 200,
    indexedDb: "on the disk",
    leftOut: {},
  },
  firefox: {
    name: "Firefox",
    screen: "headless",
    // Refuses the 201st WebSocket (network.websocket.max-connections), and opens one after another.
    mostSockets: 100,
    indexedDb: "on the disk",
    leftOut: NOT_CHROMIUM,
  },
  webkit: {
    name: "WebKitGTK",
    screen: "on a virtual display",
    // Refuses the 200th.
    mostSockets: 100,
    // Its driver starts ephemeral sessions.
    indexedDb: "in memory",
    leftOut: { ...NOT_CHROMIUM, blocked: ONE_PAGE, "invalidate-blocked": ONE_PAGE },
  },
};
