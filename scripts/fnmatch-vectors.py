"""Writes src/entry/pattern.vectors.json: what Python's own fnmatchcase says, for pattern.test.ts to hold us to.

    python3 scripts/fnmatch-vectors.py

Seeded: the file changes only when this script does. Its semantics are those of Python 3.8 to 3.13.
"""

import json
import random
import warnings
from fnmatch import fnmatchcase
from pathlib import Path

TARGET = Path(__file__).parent.parent / "src" / "entry" / "pattern.vectors.json"
ALPHABET = "ab-]!^[*?\\&~|z\n😀"
IN_SETS = "ab-!^z-[!-\\\uffff😀"
VECTORS = 4000

BY_HAND = [
    # Literals, "*" and "?" (of code points; a line break is a character as any other).
    ("", ["", "a"]),
    ("user:1", ["user:1", "user:12", "USER:1"]),
    ("*", ["", "a", "\n", "a\nb", "😀"]),
    ("**", ["", "a", "ab"]),
    ("?", ["", "a", "\n", "😀", "ab"]),
    ("a*", ["a", "ab", "a\n", "ba"]),
    ("a\n", ["a\n", "a"]),
    ("a", ["a\n"]),
    ("a*a*a*b", ["aaaaaa", "aaaaab", "aab", "aaab"]),
    # Sets.
    ("[ab]", ["a", "b", "c", "ab", ""]),
    ("[!ab]", ["a", "c", "\n", "😀", ""]),
    ("[^a]", ["^", "a", "b"]),
    ("[]]", ["]", "a"]),
    ("[]a]", ["]", "a", "b"]),
    ("[!]]", ["]", "a"]),
    ("[!]a]", ["]", "a", "b"]),
    ("[a]]", ["a]", "a", "]"]),
    ("[\\]", ["\\", "]"]),
    ("\\*", ["\\", "\\a", "*"]),
    ("[*][?][[]", ["*?[", "ab["]),
    # Brackets that nothing closes.
    ("[", ["[", ""]),
    ("[]", ["[]", "[", "]", ""]),
    ("[!", ["[!", "a"]),
    ("[!]", ["[!]", "a", "!"]),
    ("[a-", ["[a-", "a", "-"]),
    ("[a*", ["[a", "[ab", "a"]),
    ("a[[b]", ["a[", "ab", "a[b"]),
    # Ranges, also empty ones, and hyphens in every place.
    ("[a-c]", ["a", "b", "c", "d", "-"]),
    ("[😀-😂]", ["😁", "😃", "a"]),
    ("[\uffff-😀]", ["\uffff", "😀", "😁", "a"]),
    ("[z-a]", ["z", "a", "m", "-", ""]),
    ("[!z-a]", ["z", "a", "-", "\n", "", "zz"]),
    ("[z-ab]", ["z", "a", "b", "-"]),
    ("[-a]", ["-", "a", "b"]),
    ("[a-]", ["-", "a", "b"]),
    ("[!-a]", ["-", "a", "b"]),
    ("[!a-]", ["-", "a", "b"]),
    ("[-]", ["-", "a"]),
    ("[--]", ["-", "a"]),
    ("[---]", ["-", "a"]),
    ("[--0]", ["-", ".", "0", "a"]),
    ("[+--]", ["+", ",", "-", "."]),
    ("[a-c-e]", ["b", "-", "d", "e"]),
    ("[a--b]", ["a", "b", "-"]),
    ("[a-b--c]", ["a", "b", "-", "5", "c", "d"]),
    ("[!a-c-e]", ["b", "-", "d", "e"]),
    ("[]-a]", ["]", "^", "_", "a", "b", "-"]),
    ("[!]-a]", ["]", "^", "a", "b", "-"]),
    ("[a-z&&[aeiou]]", ["a]", "&]", "b]", "[]"]),
    ("[a||b~~c--d]", ["|", "~", "a", "-", "5", "d"]),
    # What CPython makes of a "!" or "^" that an empty range leaves in front.
    ("[z-a!]", ["!", "a", "z"]),
    ("[z-a!b]", ["!", "a", "b", "z"]),
    ("[z-a!-~]", ["!", "-", "~", "a"]),
    ("[z-a!--b]", ["!", "-", "b", "5"]),
    ("[z-a!-!]", ["!", "-", "a"]),
    ("[z-a^b]", ["^", "a", "b"]),
    ("[!z-a!b]", ["!", "a", "b"]),
]


def piece(rng):
    """A part of a pattern."""
    kind = rng.random()
    if kind < 0.4:
        return rng.choice(ALPHABET)
    if kind < 0.55:
        return "*"
    if kind < 0.65:
        return "?"
    negation = rng.choice(["", "", "!"])
    return "[" + negation + "".join(rng.choice(IN_SETS) for _ in range(rng.randint(1, 7))) + "]"


def key_near(rng, pieces):
    """A key that has a fair chance to match."""
    key = ""
    for part in pieces:
        if part == "*":
            key += "".join(rng.choice(ALPHABET) for _ in range(rng.randint(0, 3)))
        elif len(part) > 1 or part == "?":
            key += rng.choice(part[1:-1] + ALPHABET)
        else:
            key += part
    if rng.random() < 0.2:
        key = key[:-1]
    return key


def vectors():
    for pattern, keys in BY_HAND:
        for key in keys:
            yield pattern, key
    rng = random.Random(20240229)
    for _ in range(VECTORS):
        pieces = [piece(rng) for _ in range(rng.randint(0, 5))]
        key = "".join(rng.choice(ALPHABET) for _ in range(rng.randint(0, 5)))
        yield "".join(pieces), key if rng.random() < 0.2 else key_near(rng, pieces)


warnings.simplefilter("ignore", FutureWarning)  # "possible nested set": what re may do one day
lines = [json.dumps([pattern, key, fnmatchcase(key, pattern)]) for pattern, key in dict.fromkeys(vectors())]
TARGET.write_text("[\n" + ",\n".join(lines) + "\n]\n")
