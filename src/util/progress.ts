import { reportUncaught } from "./report-error.ts";

/** Calls a callback of the app with the figures of its progress. An error that it throws is reported as uncaught. */
export function report<Figures extends number[]>(onProgress: ((...figures: Figures) => void) | undefined, ...figures: Figures): void {
  try {
    onProgress?.(...figures);
  } catch (error) {
    reportUncaught(error);
  }
}
