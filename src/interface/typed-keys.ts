import type { PublicChange } from "../model/events.ts";
import type { KeyMetadata } from "../model/metadata.ts";
import type { BulkItem, BulkItemOptions } from "../options/types.ts";

/**
 * The types of the keys and values of a store: NASKeyStore<{ "user:${string}": User; theme: "dark" | "light" }>. A name of the schema is
 * a key, or a pattern with the placeholders `${string}`, `${number}`, `${bigint}` and `${boolean}`. Where several names match a key, the
 * most specific one has its type. A schema with the name `string` (the default, and `any`) is untyped: any key, any value.
 */

/** Every key of a schema, as a union of strings and template literals. */
export type KeyOf<Schema> = string extends keyof Schema ? string : Template<keyof Schema & string>;

/** The type of the value under a key. */
export type ValueOf<Schema, Key extends string> = Schema[NameOf<Schema, Key> & keyof Schema];

/** The type that fits each of the keys: a key whose type is a union may be any of them. */
export type StorableValue<Schema, Key extends string> = string extends keyof Schema ? unknown : Common<Schema, NameOf<Schema, Key>>;

/** The type argument of a read of keys: in a typed store the type of the key, else that of the value. */
export type Asked<Schema> = string extends keyof Schema ? unknown : KeyOf<Schema>;
export type AskedKey<Schema, T> = string extends keyof Schema ? string : T;
export type FoundValue<Schema, T> = string extends keyof Schema ? T : ValueOf<Schema, T & string>;
/** What the function of an update returns. */
export type ComputedValue<Schema, T> = string extends keyof Schema
  ? unknown
  : ValueOf<Schema, T & string> | Promise<ValueOf<Schema, T & string>>;
export type FoundValues<Schema, T> = string extends keyof Schema ? Map<string, T> : ValuesByKey<Schema, T & string>;

/** The type argument of `entries`: in a typed store the type of the pattern, else that of the value. */
export type AskedPattern<Schema> = string extends keyof Schema ? unknown : string;
/** The pattern, or every key of the schema where the pattern matches none. */
export type PatternOf<Schema, Pattern> = string extends keyof Schema
  ? string
  : Pattern extends string
    ? [NamesIn<Schema, Pattern>] extends [never]
      ? KeyOf<Schema>
      : Pattern
    : never;
/** The keys that may match a pattern. */
export type KeyIn<Schema, Pattern> = string extends keyof Schema ? string : Template<NamesIn<Schema, Pattern & string>>;
/** A change of a key that may match a pattern. The key of a `clear` is the pattern. */
export type ChangeIn<Schema, Pattern> = string extends keyof Schema
  ? PublicChange
  : PublicChange & ({ key: KeyIn<Schema, Pattern>; type: Exclude<PublicChange["type"], "clear"> } | { type: "clear" });
/** The entries whose keys may match a pattern. */
export type EntryIn<Schema, T> = string extends keyof Schema
  ? [key: string, value: T, metadata: KeyMetadata]
  : EntryOf<Schema, NamesIn<Schema, T & string>>;

/** The items of a bulk call: an object, a list of pairs, or another iterable of pairs. Each value has the type of its key. */
export type BulkItems<Schema, Key extends string, Keys extends readonly string[], Item extends Pair> = string extends keyof Schema
  ? Record<string, unknown> | Iterable<BulkItem>
  : | { readonly [Name in Key]: StorableValue<Schema, Name> }
    | readonly [...{ [Index in keyof Keys]: PairOf<Schema, Keys[Index]> }]
    | (Iterable<Item> & Iterable<PairOf<Schema, Item[0]>>);
export type Pair<Key = string> = readonly [key: Key, value: unknown, options?: BulkItemOptions];

interface Placeholders {
  string: string;
  number: number;
  bigint: bigint;
  boolean: boolean;
}

/** "user:${string}", a text, as the template literal of that form. */
type Template<Name extends string> = Name extends `${infer Head}\${${infer Kind}}${infer Rest}`
  ? Kind extends keyof Placeholders
    ? `${Head}${Placeholders[Kind]}${Template<Rest>}`
    : Name
  : Name;

/** The name of the schema that has the type of a key. Two, where neither is more specific. */
type NameOf<Schema, Key extends string> = Key extends keyof Schema ? Key : MostSpecific<Matching<keyof Schema & string, Key>>;
type Matching<Name extends string, Key extends string> = Name extends string ? (Key extends Template<Name> ? Name : never) : never;
type MostSpecific<Names extends string, Name extends string = Names> = Name extends string
  ? [NarrowerThan<Name, Names>] extends [never]
    ? Name
    : never
  : never;
type NarrowerThan<Name extends string, Others extends string> = Others extends string
  ? Template<Others> extends Template<Name>
    ? Template<Name> extends Template<Others>
      ? never
      : Others
    : never
  : never;

/** Of the types of several names, what each of them has. */
type Common<Schema, Name> = (Name extends keyof Schema ? (value: Schema[Name]) => void : never) extends (value: infer Value) => void
  ? Value
  : never;

/** A map whose `get` knows the type of the value under each key. */
type ValuesByKey<Schema, Key extends string> = { get<Asked extends Key>(key: Asked): ValueOf<Schema, Asked> | undefined } & Map<
  Key,
  ValueOf<Schema, Key>
>;

type PairOf<Schema, Key extends string> = Key extends string
  ? readonly [key: Key, value: StorableValue<Schema, Key>, options?: BulkItemOptions]
  : never;

type EntryOf<Schema, Name extends string> = Name extends keyof Schema
  ? [key: Template<Name>, value: Schema[Name], metadata: KeyMetadata]
  : never;

/** The names whose keys may match a pattern of fnmatch: those that begin as it does. */
type NamesIn<Schema, Pattern extends string> = string extends Pattern
  ? keyof Schema & string
  : Pattern extends HeadOf<Pattern>
    ? NameOf<Schema, Pattern>
    : BeginningWith<keyof Schema & string, HeadOf<Pattern>>;
type BeginningWith<Name extends string, Head extends string> = Name extends string
  ? HeadOf<Template<Name>> extends `${Head}${string}`
    ? Name
    : IsTemplate<Template<Name>> extends true
      ? Head extends `${HeadOf<Template<Name>>}${string}`
        ? Name
        : never
      : never
  : never;

/** The text before the first special character or placeholder. */
type HeadOf<Text extends string, Head extends string = ""> = Text extends `${infer Character}${infer Rest}`
  ? Character extends "*" | "?" | "["
    ? Head
    : IsTemplate<Character> extends true
      ? Head
      : HeadOf<Rest, `${Head}${Character}`>
  : Head;
/** A placeholder stands for many texts, so an object with such a name may be empty. */
type IsTemplate<Text extends string> = Partial<Record<Text, true>> extends Record<Text, true> ? true : false;
