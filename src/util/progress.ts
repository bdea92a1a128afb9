/** Called with the number of entries done so far, and their number in all. */
export type OnProgress = (done: number, total: number) => void;

/** An error of the callback is reported as the page's own. */
export function report<Figures extends number[]>(onProgress: ((...figures: Figures) => void) | undefined, ...figures: Figures): void {
  try {
    onProgress?.(...figures);
  } catch (error) {
    reportError(error);
  }
}
