import { describe, expect, it } from "vitest";
import { startMessage } from "./start-message.mjs";

describe("The message of npm start", () => {
  const demo = "http://localhost:5173/";

  it("says that Ctrl-C ends both when this process has started the server", () => {
    const message = startMessage(demo, { lines: ["ws://127.0.0.1:9222", "client nats://127.0.0.1:4222"], isOurs: true });
    expect(message).toContain(demo);
    expect(message).toContain("NATS server  ws://127.0.0.1:9222\n               client nats://127.0.0.1:4222");
    expect(message).toContain("Ctrl-C ends both.");
  });

  it("says that Ctrl-C ends the demo when the server was running already or is missing", () => {
    const message = startMessage(demo, {
      lines: ["ws://127.0.0.1:9222", "was running already. The demo leaves it running"],
      isOurs: false,
    });
    expect(message).toContain("Ctrl-C ends the demo.");
    expect(message).not.toContain("both");
  });
});
