export interface Pattern {
  /** The literal text before the first special character. Every key that matches starts with it. */
  readonly prefix: string;
  /** Takes time linear in the length of the key. */
  matches(key: string): boolean;
}

/**
 * Compiles a shell pattern: `*`, `?`, `[seq]`, `[!seq]`, each for code points. Agrees with `fnmatch.fnmatchcase` of Python 3.12
 * about every key, oddities included. Never throws.
 */
export function compilePattern(pattern: string): Pattern {
  const { tokens, prefix } = parse(pattern);
  return { prefix, matches: (key) => matchesAll(tokens, key) };
}

/** A code point, one of a set of them, or any run of them. */
type Token = number | CharacterSet | typeof STAR;

interface CharacterSet {
  readonly ranges: readonly (readonly [first: number, last: number])[];
  readonly negated: boolean;
}

const STAR = "*";
const ANY: CharacterSet = { ranges: [], negated: true };

function parse(pattern: string): { tokens: Token[]; prefix: string } {
  const characters = Array.from(pattern);
  const tokens: Token[] = [];
  let prefix: string | undefined;
  for (let at = 0; at < characters.length; at++) {
    const character = characters[at]!;
    // A bracket that is not closed is literal.
    const end = character === "[" ? endOfSet(characters, at + 1) : -1;
    if (character === "*" || character === "?" || end > 0) prefix ??= characters.slice(0, at).join("");

    if (character === "*") {
      if (tokens.at(-1) !== STAR) tokens.push(STAR);
    } else if (character === "?") {
      tokens.push(ANY);
    } else if (end > 0) {
      tokens.push(parseSet(characters.slice(at + 1, end)));
      at = end;
    } else {
      tokens.push(codePoint(character));
    }
  }
  return { tokens, prefix: prefix ?? pattern };
}

/** The index of the bracket that closes the set at `from`, or -1. A `]` in the first place is a member. */
function endOfSet(characters: string[], from: number): number {
  if (characters[from] === "!") from++;
  if (characters[from] === "]") from++;
  return characters.indexOf("]", from);
}

function parseSet(members: string[]): CharacterSet {
  const ranges: [first: number, last: number][] = [];
  let negated = members[0] === "!";
  for (let at = negated ? 1 : 0, taken; at < members.length; at += taken) {
    const isRange = members[at + 1] === "-" && at + 2 < members.length;
    taken = isRange ? 3 : 1;
    const first = codePoint(members[at]!);
    const last = codePoint(members[at + taken - 1]!);
    if (first > last) continue; // The range is empty.
    if (members[at] === "!" && !negated && ranges.length === 0) {
      // As in CPython, a "!" after nothing but empty ranges negates as well: [z-a!b] is [!b].
      negated = true;
      if (isRange) ranges.push([HYPHEN, HYPHEN], [last, last]);
    } else {
      ranges.push([first, last]);
    }
  }
  return { ranges, negated };
}

/**
 * Retries only the last star. The tokens between two stars match at their first possible place, which leaves the longest rest
 * of the key to the tokens after them.
 */
function matchesAll(tokens: readonly Token[], key: string): boolean {
  let at = 0;
  let next = 0;
  let afterStar = -1; // The token after the last star seen …
  let resumeAt = 0; // … and where in the key to try it next.
  while (at < key.length) {
    const token = tokens[next];
    const point = key.codePointAt(at)!;
    if (token === STAR) {
      afterStar = ++next;
      resumeAt = at;
      if (afterStar === tokens.length) return true;
    } else if (token !== undefined && accepts(token, point)) {
      next++;
      at += width(point);
    } else if (afterStar >= 0) {
      next = afterStar;
      resumeAt += width(key.codePointAt(resumeAt)!);
      at = resumeAt;
    } else {
      return false;
    }
  }
  if (tokens[next] === STAR) next++;
  return next === tokens.length;
}

function accepts(token: number | CharacterSet, point: number): boolean {
  if (typeof token === "number") return token === point;
  return token.ranges.some(([first, last]) => first <= point && point <= last) !== token.negated;
}

const HYPHEN = codePoint("-");

function codePoint(character: string): number {
  return character.codePointAt(0)!;
}

/** The number of UTF-16 code units of a code point. */
function width(point: number): number {
  return point > 0xffff ? 2 : 1;
}
