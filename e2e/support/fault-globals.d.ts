/** What `installObserver` puts into the pages of fault tests. */
declare var observer: import("./observer.ts").Observer;
/** What a test that runs a load exposes (`Page.exposeFunction`), and how it ends the load: what is under way is ended. */
declare var acknowledged: (end: import("./load.ts").Acknowledgement) => Promise<void>;
declare var nextSteps: () => Promise<import("./load.ts").LoadStep[]>;
declare var stopLoad: boolean;
/** The results of calls that a test leaves under way in a page. */
declare var underWay: Promise<boolean[]>;
