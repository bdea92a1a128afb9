import type { ContractCase } from "../environment.ts";
import { operations } from "./operations.ts";

/** All cases, by subject. */
export const contract: Readonly<Record<string, readonly ContractCase[]>> = {
  operations,
};
