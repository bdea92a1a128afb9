import * as nas from "nas-keystore";

Object.assign(window, { nas, importEager: () => import("nas-keystore/eager") });
document.body.dataset.ready = "true";
