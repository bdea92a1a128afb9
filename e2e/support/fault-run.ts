/** Which form of the fault suite runs; `npm run test:faults` sets this. */
export const isLong: boolean = process.env["FAULTS"] === "long";

/** One for the quick form, one for the long. */
export function byForm<T>(quick: T, long: T): T {
  return isLong ? long : quick;
}

/** The seed asked for, to run a failed test again; else undefined. */
export const givenSeed: number | undefined = process.env["FAULTS_SEED"] ? Number(process.env["FAULTS_SEED"]) : undefined;
