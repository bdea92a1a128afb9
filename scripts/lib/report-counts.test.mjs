import { describe, expect, it } from "vitest";
import { playwrightCounts, vitestCounts } from "./report-counts.mjs";

describe("The counts of Vitest's report", () => {
  const file = { status: "passed", assertionResults: [{ status: "passed" }] };
  const report = { numPassedTests: 3, numFailedTests: 0, success: true, testResults: [file] };

  it("are those of the report when every file ran", () => {
    expect(vitestCounts(report)).toEqual({ passed: 3, failed: 0 });
    const failedFile = { status: "failed", assertionResults: [{ status: "failed" }] };
    const failed = { ...report, numFailedTests: 2, success: false, testResults: [file, failedFile] };
    expect(vitestCounts(failed)).toEqual({ passed: 3, failed: 2 });
  });

  it("include one failure for a file that cannot be imported", () => {
    const broken = { status: "failed", assertionResults: [] };
    expect(vitestCounts({ ...report, success: false, testResults: [file, broken] })).toEqual({ passed: 3, failed: 1 });
  });

  it("include one failure when the run failed without a failed test", () => {
    expect(vitestCounts({ ...report, success: false })).toEqual({ passed: 3, failed: 1 });
  });
});

describe("The counts of Playwright's report", () => {
  it("count a flaky test as passed, and skip skipped ones", () => {
    const stats = { expected: 5, flaky: 1, unexpected: 2, skipped: 4 };
    expect(playwrightCounts({ stats, errors: [] })).toEqual({ passed: 6, failed: 2 });
  });

  it("include one failure for each error that belongs to no test", () => {
    const stats = { expected: 0, flaky: 0, unexpected: 0 };
    expect(playwrightCounts({ stats, errors: [{ message: "globalSetup failed" }] })).toEqual({ passed: 0, failed: 1 });
  });
});
