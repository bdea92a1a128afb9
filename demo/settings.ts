/** The settings of the page. The query string keeps them, so that they survive a reload and can be shared as a link. */
export interface DemoSettings {
  readonly server: string;
  readonly namespace: string;
  /** Durable mode: a stream of the server keeps the entries for other browsers. */
  readonly durable: boolean;
}

export function readSettings(): DemoSettings {
  const query = new URLSearchParams(location.search);
  return {
    server: query.get("server") ?? `ws://${location.hostname || "127.0.0.1"}:9222`,
    namespace: query.get("namespace") ?? "demo",
    durable: query.has("durable"),
  };
}

export function keepSettings({ server, namespace, durable }: DemoSettings): void {
  const query = new URLSearchParams(location.search);
  query.set("server", server);
  query.set("namespace", namespace);
  if (durable) query.set("durable", "");
  else query.delete("durable");
  history.replaceState(null, "", `?${query}${location.hash}`);
}
