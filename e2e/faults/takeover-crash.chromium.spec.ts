import { crash } from "../support/crash.ts";
import { takeoverTests } from "../support/takeover.ts";

takeoverTests({ crashes: crash });
