import type { Commit, Draft } from "../storage/commit/draft.ts";
import { commitsOf, planGroup, type PlanContext, type Slot } from "../storage/commit/plan.ts";
import { NOW } from "./rows.ts";

/** Plans a draft of the key "k". Undefined: it is not committed. */
export function planOne(draft: Draft, slot: Partial<Slot>, given: Pick<PlanContext, "floor" | "pulledTo">): Commit | undefined {
  const slots = new Map([["k", { row: undefined, unconfirmed: false, mustWait: false, waitsFor: undefined, ...slot }]]);
  let last = 0;
  const context = {
    instanceId: "me",
    generation: "g",
    mayPublish: true,
    durability: "relaxed",
    nextSequence: () => ++last,
    ...given,
  } as const;
  return commitsOf(planGroup([[draft]], slots, NOW, context))[0];
}
