import type { Settings } from "../options/defaults.ts";

/** Whether two stores of a page can share an engine. All other settings are used by the store itself. */
export function canShareEngine(one: Settings, other: Settings): boolean {
  const names = ["timeoutMs", "lingerMs", "maxEntries", "maxBytes", "sweepIntervalMs", "connect"] as const;
  return (
    names.every((name) => one[name] === other[name]) &&
    haveSameMembers({ ...one.servers }, { ...other.servers }) &&
    haveSameMembers({ ...one.durable }, { ...other.durable }) &&
    haveSameMembers(one.connection, other.connection)
  );
}

function haveSameMembers(one: object, other: object): boolean {
  const [members, others] = [new Map(Object.entries(one)), new Map(Object.entries(other))];
  return members.size === others.size && [...members].every(([name, member]) => others.has(name) && others.get(name) === member);
}
