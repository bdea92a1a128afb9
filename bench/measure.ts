/** The summary of measurements in turn (ours, peer, ours, peer …). */
export interface Comparison {
  /** The medians of both sides. */
  readonly ours: number;
  readonly peer: number;
  /** The middle half of the ratios of neighbouring turns: a machine that slows down slows both. */
  readonly ratio: Spread;
}

export interface Spread {
  readonly p25: number;
  readonly median: number;
  readonly p75: number;
}

export function compare(ours: readonly number[], peer: readonly number[]): Comparison {
  if (ours.length !== peer.length) throw new RangeError(`${ours.length} measurements of ours, ${peer.length} of the peer`);
  return {
    ours: quantile(ours, 0.5),
    peer: quantile(peer, 0.5),
    ratio: spread(ours.map((value, index) => value / (peer[index] as number))),
  };
}

export function spread(values: readonly number[]): Spread {
  return { p25: quantile(values, 0.25), median: quantile(values, 0.5), p75: quantile(values, 0.75) };
}

/** The quantile `q`, interpolated between two values. */
function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  if (sorted.length === 0) throw new RangeError("No measurements.");
  const at = (sorted.length - 1) * q;
  const low = sorted[Math.floor(at)] as number;
  const high = sorted[Math.ceil(at)] as number;
  return low + (high - low) * (at - Math.floor(at));
}
