/** Starts and ends the workers that represent other tabs. */
export interface TabWorkers {
  /** Resolves to the id of a new worker, which answers calls on the port. */
  start(port: MessagePort): Promise<number>;
  end(id: number): Promise<void>;
}

const workers: Worker[] = [];

/** Only a page starts workers: in Firefox 153 `new Worker` in a worker can block for ever while the worker loads a module. */
export const pageTabWorkers: TabWorkers = {
  start: async (port) => {
    const worker = new Worker("tab-worker.js", { type: "module" });
    worker.onerror = ({ message }) => console.error(`A tab failed: ${message}`);
    worker.postMessage("serve", [port]);
    return workers.push(worker) - 1;
  },
  end: async (id) => workers[id]?.terminate(),
};
