import { describe, expect, it } from "vitest";
import { describeNatsServers } from "./nats-server.mjs";

describe("The line that says which nats-servers are tested", () => {
  const installed = { program: "/usr/sbin/nats-server", version: "2.9.10" };

  it("names the installed one, and the newest one as missing where it has not been built", () => {
    expect(describeNatsServers([installed])).toMatch(/^nats-server  2\.9\.10 \(\/usr\/sbin\/nats-server\); 2\.\d+\.\d+ is missing/);
  });

  it("names both where the newest one has been built", () => {
    const version = /(\S+) is missing/.exec(describeNatsServers([installed]))?.[1] ?? "";
    expect(describeNatsServers([installed, { program: "/built", version }])).toBe(
      `nats-server  2.9.10 (/usr/sbin/nats-server) and ${version} (/built)`,
    );
  });

  it("says in one line how to install one where there is none", () => {
    expect(describeNatsServers([])).toMatch(/^nats-server  missing: get nats-server from .*$/);
  });
});
