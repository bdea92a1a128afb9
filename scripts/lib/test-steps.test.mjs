import { describe, expect, it } from "vitest";
import { planSteps } from "./test-steps.mjs";

/** @type {import("./browsers.mjs").Engine[]} */
const ALL = ["chromium", "firefox", "webkit"];

/** @param {import("./test-steps.mjs").Present} present */
const plan = (present, all = false) => {
  const { steps, leftOut } = planSteps(present, ALL, { all });
  return {
    commands: steps.map(({ script, args, engine }) => [script, ...args, ...(engine === "chromium" ? [] : [engine])].join(" ")),
    leftOut,
  };
};

describe("The steps of npm test", () => {
  it("are complete when the server and every engine are present", () => {
    expect(plan({ server: true, engines: ALL })).toEqual({
      commands: ["format:check", "types", "lint", "coverage", "build", "size", "test:bundlers", "contract", "e2e", "test:faults"],
      leftOut: [],
    });
  });

  it("include the end-to-end and fault suites in Firefox with --all", () => {
    expect(plan({ server: true, engines: ALL }, true).commands.slice(-2)).toEqual(["e2e firefox", "test:faults firefox"]);
  });

  it("leave out one engine of the contract suite when that engine is missing", () => {
    const { commands, leftOut } = plan({ server: true, engines: ["chromium", "firefox"] });
    expect(commands).toContain("contract --project=chromium --project=firefox");
    expect(leftOut).toEqual(["contract in webkit"]);
  });

  it("leave out the suites in Chromium when Chromium is missing", () => {
    const { commands, leftOut } = plan({ server: true, engines: ["webkit"] });
    expect(commands.at(-1)).toBe("contract --project=webkit");
    expect(leftOut).toEqual(["test:bundlers", "contract in chromium", "contract in firefox", "e2e", "test:faults"]);
  });

  it("need no server for the unit tests, the build and the size", () => {
    const { commands, leftOut } = plan({ server: false, engines: ALL });
    expect(commands).toEqual(["format:check", "types", "lint", "unit src api bench scripts", "build", "size"]);
    expect(leftOut).toHaveLength(2 + 1 + ALL.length + 2);
  });
});
