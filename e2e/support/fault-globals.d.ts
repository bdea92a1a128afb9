/** `installObserver` puts it into the pages of fault tests. */
declare var observer: import("./observer.ts").Observer;
/** Functions that a test with a load exposes (`Page.exposeFunction`). `stopLoad` ends the load after its running calls. */
declare var acknowledged: (end: import("./load.ts").Acknowledgement) => Promise<void>;
declare var nextSteps: () => Promise<import("./load.ts").LoadStep[]>;
declare var stopLoad: boolean;
/** The results of calls that a test does not await in the page. */
declare var underWay: Promise<boolean[]>;
