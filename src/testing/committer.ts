import { Committer, type CommitterOptions } from "../storage/commit/committer.ts";
import type { Commit, Draft } from "../storage/commit/commit-group.ts";
import type { Database } from "../storage/idb/database.ts";

/** The committer of a store called "me", which may publish at once. Its callbacks do nothing unless a test gives others. */
export function newCommitter(database: Database, given: Partial<CommitterOptions> = {}): Committer {
  return new Committer(database, {
    instanceId: "me",
    mayPublish: () => true,
    onBegin: () => undefined,
    isInMemory: () => false,
    onCommitted: () => undefined,
    makeRoom: async () => false,
    ...given,
  });
}

/** Commits one draft. */
export async function commitOne(committer: Committer, draft: Draft): Promise<Commit> {
  const [commit] = await committer.commit([draft]);
  return commit as Commit;
}
