/** Called with the number of entries done so far, and their number in all. */
export type OnProgress = (done: number, total: number) => void;

/** An error of the callback is reported as the page's own. */
export function report(onProgress: OnProgress | undefined, done: number, total: number): void {
  try {
    onProgress?.(done, total);
  } catch (error) {
    reportError(error);
  }
}
