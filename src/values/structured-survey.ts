import type { KeyStoreError } from "../util/errors.ts";

/** Objects within objects. devalue recurses that deep. */
const MAX_DEPTH = 500;
/** Values in all, counted once for each place that holds them. The holes of an array are places too. */
export const MAX_PLACES = 1_000_000;

/** The values in a node, each with the step that leads to it. The step is absent where the paths of devalue have none. */
export type Contents = Iterable<readonly [node: unknown, step?: Step]>;
type Step = string | number | { readonly mapKey: unknown };

/**
 * Visits every node that can be reached from `root`, without recursion, and refuses too many or too deep ones.
 * Must go depth first in the order of devalue: then the trail is as long as the recursion of devalue is deep, and holds the
 * nodes that devalue has yet to finish.
 * @param enter checks a node at its first visit and returns its contents; undefined: it has none
 */
export function survey(
  root: unknown,
  enter: (node: unknown) => Contents | undefined,
  isError: (node: unknown) => boolean,
  failure: (cause: unknown, path: string) => KeyStoreError,
): void {
  const seen = new Set<unknown>();
  const trail = [new Visit(undefined, [[root]])];
  let places = 0;
  try {
    for (let here = trail.at(-1); here !== undefined; here = trail.at(-1)) {
      const next = here.next();
      if (next === undefined) {
        trail.pop();
        continue;
      }
      const [node] = next;
      if (++places > MAX_PLACES) refuse(`more than ${MAX_PLACES} values`);
      if (seen.has(node)) {
        // An error is made after its parts, so that it cannot be one of them.
        const isOpen = (): boolean => trail.some((visit) => visit.node === node);
        if (isError(node) && isOpen()) refuse("an error that contains itself");
        continue;
      }
      seen.add(node);
      const contents = enter(node);
      if (contents === undefined) continue;
      if (trail.length > MAX_DEPTH) refuse(`nested deeper than ${MAX_DEPTH} levels`);
      trail.push(new Visit(node, contents));
    }
  } catch (cause) {
    throw failure(cause, trail.map((visit) => format(visit.step)).join(""));
  }
}

class Visit {
  readonly node: unknown;
  /** The step to the value that is being visited; undefined while the next one is being read. */
  step: Step | undefined;
  readonly #contents: Iterator<readonly [unknown, Step?]>;

  constructor(node: unknown, contents: Contents) {
    this.node = node;
    this.#contents = contents[Symbol.iterator]();
  }

  next(): readonly [node: unknown, step?: Step] | undefined {
    this.step = undefined;
    const { done, value } = this.#contents.next();
    if (done === true) return undefined;
    this.step = value[1];
    return value;
  }
}

/** A step as devalue writes it: `.users[0]["first name"].get("a")`. */
function format(step: Step | undefined): string {
  if (step === undefined) return "";
  if (typeof step === "number") return `[${step}]`;
  if (typeof step === "object") {
    return `.get(${typeof step.mapKey === "string" ? JSON.stringify(step.mapKey) : "..."})`;
  }
  return /^[a-z_$][\w$]*$/i.test(step) ? `.${step}` : `[${JSON.stringify(step)}]`;
}

export function refuse(why: string): never {
  throw new TypeError(why);
}

export function* propertiesOf(object: object): Contents {
  for (const name of Object.keys(object)) yield [(object as Record<string, unknown>)[name], name];
}

export function* membersOf(members: Iterable<unknown>): Contents {
  for (const member of members) yield [member];
}
