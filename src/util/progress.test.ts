import { expect, it, vi } from "vitest";
import { report } from "./progress.ts";

it("An error of a progress callback is reported as uncaught, also where there is no reportError", () => {
  const error = new Error("mine");
  const fail = (): never => {
    throw error;
  };
  const tasks: (() => void)[] = [];
  vi.stubGlobal("reportError", undefined);
  vi.stubGlobal("queueMicrotask", (task: () => void) => tasks.push(task));
  report(fail);
  vi.unstubAllGlobals();
  expect(tasks).toHaveLength(1);
  expect(tasks[0]).toThrow(error);
});
