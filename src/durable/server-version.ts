/** Whether a version such as "2.11.4" is at least this one. An unknown version is not. */
export function isAtLeast(version: string, major: number, minor: number): boolean {
  const [, actualMajor = 0, actualMinor = 0] = (/^(\d+)\.(\d+)/.exec(version) ?? []).map(Number);
  return actualMajor > major || (actualMajor === major && actualMinor >= minor);
}
