import { expect, test as base, type TestType } from "@playwright/test";
import { isFailedSocket } from "../../e2e/support/console-guard.ts";
import { contract } from "../cases/index.ts";
import type { ContractCase } from "../environment.ts";
import { openCaseServer, runsOf, SharedServers } from "../server/case-server.ts";
import { FLAVOURS, type Outcome, type Run } from "./run.ts";
import { startSite, type Site } from "./site.ts";

/** A page in a browser. It loads again for each case. */
export interface CasePage {
  /** Loads a page and calls its `runCase`. */
  run(url: string, run: Run): Promise<Outcome>;
}

export interface WorkerFixtures {
  servers: SharedServers;
  site: Site;
  casePage: CasePage;
}

export const test = base.extend<object, Omit<WorkerFixtures, "casePage">>({
  servers: [
    async ({}, use) => {
      const servers = new SharedServers();
      await use(servers);
      await servers.dispose();
    },
    { scope: "worker" },
  ],

  site: [
    async ({}, use) => {
      const site = await startSite();
      await use(site);
      await site.stop();
    },
    { scope: "worker" },
  ],
});

/** Makes a test of each case in each flavour. */
export function registerContract(test: TestType<object, WorkerFixtures>): void {
  for (const flavour of FLAVOURS) {
    test.describe(flavour, () => {
      for (const [subject, cases] of Object.entries(contract)) {
        test.describe(subject, () => {
          for (const caseRun of cases.flatMap(runsOf)) {
            test(caseRun.title, async ({ servers, site, casePage }) => {
              const { contractCase } = caseRun;
              const namespace = `contract-${crypto.randomUUID()}`;
              const caseServer = await openCaseServer(servers, caseRun, namespace, "websocket");
              const control = site.control(namespace, caseServer);
              const run = { subject, title: contractCase.title, namespace, servers: caseServer.url, control };
              try {
                expectSuccess(contractCase, await casePage.run(`${site.url}${flavour}.html`, run));
              } finally {
                await caseServer.dispose();
              }
            });
          }
        });
      }
    });
  }
}

function expectSuccess({ outage = false, failsSockets = outage }: ContractCase, { failure, problems }: Outcome): void {
  if (failure !== undefined) throw new Error(failure);
  const unexpected = problems.filter((line) => !(failsSockets && isFailedSocket(line)));
  expect(unexpected, "the browser's console").toEqual([]);
}
