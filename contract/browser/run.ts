import type { KeyStoreErrorCode, KeyStoreOptions } from "nas-keystore";

/** The places where a case runs. Each has an HTML page of its name. */
export const FLAVOURS = ["page", "eager", "worker"] as const;
export type Flavour = (typeof FLAVOURS)[number];

/** The case that a page runs, and its parameters. */
export interface Run {
  readonly subject: string;
  readonly title: string;
  readonly namespace: string;
  readonly servers: string;
  /** The URL of the case's server control. */
  readonly control: string;
}

/** The result of a case. */
export interface Outcome {
  /** The error of a failed case, with its stack. */
  readonly failure?: string;
  /** Console warnings, console errors and uncaught errors of the page and its workers. */
  readonly problems: readonly string[];
}

/** The call of a method of a store in another tab. `new` makes the store. */
export type TabCall = readonly ["new", KeyStoreOptions] | readonly [method: string, ...args: unknown[]];

export interface TabAnswer {
  readonly value?: unknown;
  readonly error?: { readonly code?: KeyStoreErrorCode; readonly key?: string | undefined; readonly message: string };
}
