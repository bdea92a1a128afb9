import { describe, expect, it } from "vitest";
import { errorOf } from "../testing/errors.ts";
import { FakeStreams } from "../testing/fake-streams.ts";
import { ensureStream } from "./ensure-stream.ts";

const NO_STREAM = { error: { code: 404, err_code: 10059, description: "stream not found" } };
const present = (name: string, ...subjects: string[]) => ({ config: { name, subjects } });

const TEN_YEARS_NS = 315_360_000_000_000_000;

describe("ensureStream", () => {
  it.each([
    ["_kv.app.key.>", true],
    ["_kv.app.>", true],
    ["_kv.*.key.>", true],
    ["_kv.>", true],
    [">", true],
    ["_kv.app.key.*", false],
    ["_kv.app.key.a", false],
    ["_kv.app.key", false],
    ["_kv.app.key.a.>", false],
    ["_kv.other.>", false],
    ["_kv.*.*.*", false],
  ])("of a present stream with the subject %s accepts it: %s", async (subject, isAccepted) => {
    const streams = new FakeStreams({ "STREAM.INFO.NAS_app": [present("NAS_app", "elsewhere", subject)] });
    if (isAccepted) expect(await ensureStream(streams.api)).toEqual({ stream: "NAS_app", created: false });
    else expect(await errorOf(() => ensureStream(streams.api))).toMatchObject({ code: "STREAM_UNAVAILABLE" });
    expect(streams.requests).toEqual(["STREAM.INFO.NAS_app"]);
  });

  it("refuses a mirror, which has no subjects", async () => {
    const streams = new FakeStreams({ "STREAM.INFO.NAS_app": [{ config: { name: "NAS_app" } }] });
    const { message } = await errorOf(() => ensureStream(streams.api));
    expect(message).toContain(`The stream "NAS_app" has no subjects, not all of "_kv.app.key.>".`);
  });

  it("finds the stream that another client has created since it was looked up", async () => {
    const streams = new FakeStreams({
      "STREAM.INFO.NAS_app": [NO_STREAM, present("NAS_app", "_kv.app.key.>")],
      "STREAM.NAMES": [{ streams: null }],
      "STREAM.CREATE.NAS_app": [{ error: { code: 400, err_code: 10058, description: "stream name already in use" } }],
    });
    expect(await ensureStream(streams.api)).toEqual({ stream: "NAS_app", created: false });
  });

  it("gives the reason of JetStream's refusal where no other client has created the stream", async () => {
    const streams = new FakeStreams({
      "STREAM.INFO.NAS_app": [NO_STREAM, NO_STREAM],
      "STREAM.NAMES": [{ streams: [] }, { streams: [] }],
      "STREAM.CREATE.NAS_app": [{ error: { code: 400, err_code: 10026, description: "maximum number of streams reached" } }],
    });
    const error = await errorOf(() => ensureStream(streams.api));
    expect(error.code).toBe("STREAM_UNAVAILABLE");
    expect(error.message).toContain(`JetStream has refused the stream "NAS_app" (maximum number of streams reached).`);
  });

  it("tells of a connection that is lost after the request", async () => {
    const streams = new FakeStreams({ "STREAM.INFO.NAS_app": [new Error("The connection to the server was lost.")] });
    const { message } = await errorOf(() => ensureStream(streams.api));
    expect(message).toMatch(/^JetStream does not answer \(The connection to the server was lost\.\)/);
  });

  it("tells of a server that cannot be reached", async () => {
    const streams = new FakeStreams({}, new Error("ECONNREFUSED"));
    const { code, message } = await errorOf(() => ensureStream(streams.api));
    expect(code).toBe("STREAM_UNAVAILABLE");
    expect(message).toMatch(/^No server can be reached \(ECONNREFUSED\)/);
  });

  it.each([
    ["2.9.10", {}],
    ["2.10.29", {}],
    ["2.11.0", { allow_msg_ttl: true, subject_delete_marker_ttl: TEN_YEARS_NS }],
    ["2.12.0-RC.1", { allow_msg_ttl: true, subject_delete_marker_ttl: TEN_YEARS_NS, allow_atomic: true }],
    ["3.0.0", { allow_msg_ttl: true, subject_delete_marker_ttl: TEN_YEARS_NS, allow_atomic: true }],
    ["", {}],
  ])("asks a server of version %s for what it has", async (version, extra) => {
    const streams = new FakeStreams({
      "STREAM.INFO.NAS_app": [NO_STREAM],
      "STREAM.NAMES": [{ streams: [] }],
      "STREAM.CREATE.NAS_app": [{}],
    });
    streams.connection.serverVersion = version;
    expect(await ensureStream(streams.api)).toEqual({ stream: "NAS_app", created: true });
    const { description, ...config } = streams.bodies.at(-1) as Record<string, unknown>;
    expect(description).toMatch(/^nas-keystore ./);
    expect(config).toEqual({
      name: "NAS_app",
      subjects: ["_kv.app.key.>"],
      retention: "limits",
      max_msgs_per_subject: 1,
      discard: "old",
      storage: "file",
      num_replicas: 1,
      allow_direct: true,
      ...extra,
    });
  });
});
