/**
 * The package's types are those of the contract, member by member. `npm run types` compiles this file and fails when they differ: the
 * error names the member. api/exports.test.ts compares the names of the exports.
 */
import type * as built from "nas-keystore";
import type * as eager from "nas-keystore/eager";
import type * as contract from "./nas-keystore.d.ts";

/** True for types that are the same, optional and readonly members included. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** The names of the members that only one of two types has, or whose types differ. */
type Differences<A, B> = {
  [Name in keyof A | keyof B]: Name extends keyof A & keyof B ? (Same<Pick<A, Name>, Pick<B, Name>> extends true ? never : Name) : Name;
}[keyof A | keyof B];

/** Compiles when there is no difference. */
type None<Difference extends never> = Difference;

/** One type for each line of the contract. A new interface needs a line here: api/exports.test.ts asks for it. */
export type Checks = [
  None<Differences<Values<typeof built>, Values<typeof contract>>>,
  None<Differences<typeof built, typeof eager>>,
  None<Differences<{ KeyFormat: built.KeyFormat }, { KeyFormat: contract.KeyFormat }>>,
  None<Differences<{ CryptoKeySource: built.CryptoKeySource }, { CryptoKeySource: contract.CryptoKeySource }>>,
  None<Differences<built.KeyStoreOptions, contract.KeyStoreOptions>>,
  None<Differences<built.StoreOptions, contract.StoreOptions>>,
  None<Differences<built.BulkOptions, contract.BulkOptions>>,
  None<Differences<built.ProgressOptions, contract.ProgressOptions>>,
  None<Differences<built.TransferOptions, contract.TransferOptions>>,
  None<Differences<built.InvalidateOptions, contract.InvalidateOptions>>,
  None<Differences<{ BulkItem: built.BulkItem }, { BulkItem: contract.BulkItem }>>,
  None<Differences<built.DeleteOptions, contract.DeleteOptions>>,
  None<Differences<built.RetrieveOrStoreOptions, contract.RetrieveOrStoreOptions>>,
  None<Differences<built.RetrieveOptions, contract.RetrieveOptions>>,
  None<Differences<built.DurableOptions, contract.DurableOptions>>,
  None<Differences<built.PullOptions, contract.PullOptions>>,
  None<Differences<built.KeyMetadata, contract.KeyMetadata>>,
  None<Differences<built.CacheStats, contract.CacheStats>>,
  None<Differences<built.StorageStats, contract.StorageStats>>,
  None<Differences<built.PendingWrite, contract.PendingWrite>>,
  None<Differences<Codes<built.KeyStoreErrorCode>, Codes<contract.KeyStoreErrorCode>>>,
  None<Differences<built.KeyStoreErrorDetails, contract.KeyStoreErrorDetails>>,
  None<Differences<built.KeyStoreError, contract.KeyStoreError>>,
  None<Differences<Parameters<typeof built.KeyStoreError>, Parameters<typeof contract.KeyStoreError>>>,
  None<Differences<built.NASKeyStore, contract.NASKeyStore>>,
  None<Differences<built.NASKeyStore<App>, contract.NASKeyStore<App>>>,
  None<Differences<{ key: built.KeyOf<App> }, { key: contract.KeyOf<App> }>>,
  None<Differences<{ value: built.ValueOf<App, "user:1"> }, { value: contract.ValueOf<App, "user:1"> }>>,
  None<Differences<Parameters<typeof built.NASKeyStore>, Parameters<typeof contract.NASKeyStore>>>,
  None<Differences<built.KeyStoreEvents, contract.KeyStoreEvents>>,
];

/** The schema of an app. */
interface App {
  "user:${string}": { name: string };
  theme: "dark" | "light";
}

/**
 * A class has private members, which no other declaration can have: its public ones are compared in lines of their own.
 * `-readonly`: a constant counts as read-only where it is declared, but not where it is exported again.
 */
type Values<Exports> = {
  -readonly [Name in keyof Exports]: Exports[Name] extends abstract new (...args: never[]) => object ? "a class" : Exports[Name];
};

/** As an object: the difference between two unions is then a name. */
type Codes<Code extends string> = Record<Code, true>;

type Parameters<Class extends abstract new (...args: never[]) => object> = { constructor: ConstructorParameters<Class> };
