import { contract } from "../../cases/index.ts";
import type { Connect, JetStream, Server } from "../../environment.ts";
import { caseEnvironment } from "../../support/case-environment.ts";
import type { Outcome, Run } from "../run.ts";
import { described, watchRealm } from "./problems.ts";
import { openTab } from "./open-tab.ts";
import type { TabWorkers } from "./tab-workers.ts";

const problems: string[] = [];
const reportProblem = (line: string): void => void problems.push(line);
watchRealm(reportProblem);

/** Runs one case in this realm. Never rejects. */
export async function runCase(
  library: typeof import("nas-keystore"),
  tabWorkers: TabWorkers,
  { subject, title, namespace, servers, control }: Run,
): Promise<Outcome> {
  const { environment, dispose } = caseEnvironment({
    library,
    namespace,
    server: remote<Server>(control),
    jetstream: remote<JetStream>(control),
    connect,
    options: { servers },
    openTab: (options) => openTab(library, tabWorkers, options, reportProblem),
  });
  const failures: unknown[] = [];
  const note = (error: unknown): void => void failures.push(error);
  const contractCase = contract[subject]?.find((candidate) => candidate.title === title);
  if (contractCase === undefined) note(new Error(`Unknown case "${subject} › ${title}". See contract/cases/index.ts.`));
  await contractCase?.run(environment).catch(note);
  await dispose().catch(note);
  // Unhandled rejections are reported in a later task.
  await new Promise((resolve) => setTimeout(resolve));
  return { problems, ...(failures.length === 0 ? undefined : { failure: failures.map(described).join("\n") }) };
}

const connect: Connect = async (options) => (await import("@nats-io/nats-core")).wsconnect(options);

/** Calls of the server's control, over HTTP. */
function remote<Port extends object>(control: string): Port {
  const call = async (method: string, args: unknown[]): Promise<unknown> => {
    const response = await fetch(`${control}/${method}`, { method: "POST", body: JSON.stringify(args) });
    const { value, error } = (await response.json()) as { value?: unknown; error?: string };
    if (error !== undefined) throw new Error(error);
    return value;
  };
  return new Proxy({} as Port, {
    get:
      (_port, method) =>
      (...args: unknown[]) =>
        call(String(method), args),
  });
}
