const time = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const dateAndTime = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const decimal = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });

const DUMP_BYTES = 2048;
const BYTES_PER_LINE = 8;

export function formatTime(date: Date): string {
  return time.format(date);
}

export function formatDate(date: Date): string {
  return dateAndTime.format(date);
}

/** `1 key`, `2 keys`. */
export function count(number: number, noun: string, nouns = `${noun}s`): string {
  return `${number.toLocaleString("en")} ${number === 1 ? noun : nouns}`;
}

export function formatBytes(bytes: number): string {
  let size = bytes;
  let unit = "B";
  for (const larger of ["KiB", "MiB", "GiB", "TiB"]) {
    if (size < 1024) break;
    size /= 1024;
    unit = larger;
  }
  return `${decimal.format(size)} ${unit}`;
}

/** Time left, as `2 d 3 h`, `4 min 05 s` or `6 s`. */
export function formatRemaining(ms: number): string {
  const seconds = Math.max(0, Math.ceil(ms / 1000));
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  if (hours >= 24) return `${Math.floor(hours / 24)} d ${hours % 24} h`;
  if (hours > 0) return `${hours} h ${pad(minutes % 60)} min`;
  if (minutes > 0) return `${minutes} min ${pad(seconds % 60)} s`;
  return `${seconds} s`;
}

export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
}

/** Lines of offset, hex digits and ASCII. Of a large value only the beginning. */
export function hexDump(bytes: Uint8Array): string {
  const lines: string[] = [];
  for (let at = 0; at < Math.min(bytes.length, DUMP_BYTES); at += BYTES_PER_LINE) {
    const line = bytes.subarray(at, at + BYTES_PER_LINE);
    const ascii = Array.from(line, (byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCodePoint(byte) : "·")).join("");
    lines.push(`${at.toString(16).padStart(4, "0")}  ${toHex(line).padEnd(BYTES_PER_LINE * 3)} ${ascii}`);
  }
  if (bytes.length > DUMP_BYTES) lines.push(`… ${count(bytes.length - DUMP_BYTES, "byte")} more`);
  return lines.join("\n");
}

function pad(number: number): string {
  return String(number).padStart(2, "0");
}
