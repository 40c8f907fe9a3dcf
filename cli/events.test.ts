// `wrkst events --follow` against a small server: goes on over lost connections from where it was, and says what is lost.

import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import test from "node:test";
import { problem, serve, wrkst } from "./testing.js";

const eventOf = (id: number) => ({ id, at: 1_700_000_000_000 + id, kind: "source.synced", message: `event ${id}` });
const block = (id: number) => `id: ${id}\nevent: source.synced\ndata: ${JSON.stringify(eventOf(id))}\n\n`;

test("events --follow shows the newest, then each as it happens, once and in order, over lost connections", async (t) => {
  const server = await serve();
  t.after(() => server.close());
  const stop = new AbortController();
  const streams = [
    { events: [block(8), "id: 9\n\n"] },
    problem(503, "ERR_RUNTIME", "the agent restarts"),
    { events: ['id: 20\nevent: gap\ndata: {"lost":11}\n\n', block(21)] },
  ];
  const asked: (string | undefined)[] = [];
  server.on("GET /api/v1/events", ({ query, lastEventId }) => {
    assert.deepEqual([query.get("source"), query.get("kind")], ["default", "source"]);
    if (query.has("limit")) return { events: [eventOf(5), eventOf(3)], newest: 7 };
    asked.push(lastEventId);
    const next = streams.shift();
    if (!next) stop.abort();
    return next ?? { events: [] };
  });
  const setting = { folder: tmpdir(), home: tmpdir(), env: { WRKST_TOKEN: "t", WRKST_URL: server.url } };
  const args = ["events", "--follow", "--source", "default", "--kind", "source", "--limit", "2", "--json"];
  const { out, err, code } = await wrkst(args, { ...setting, signal: stop.signal });
  assert.equal(code, 0);
  const told = out
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line).id);
  assert.deepEqual(told, [3, 5, 8, 21]);
  assert.deepEqual(asked, ["7", "9", "9", "21"]);
  assert.match(err, /11 events/);
});

test("events --follow ends with what the server refuses", async (t) => {
  const server = await serve();
  t.after(() => server.close());
  server.on("GET /api/v1/events", () => problem(403, "ERR_FORBIDDEN", "not yours"));
  const setting = { folder: tmpdir(), home: tmpdir(), env: { WRKST_TOKEN: "t", WRKST_URL: server.url } };
  assert.equal((await wrkst(["events", "--follow"], setting)).code, 1);
});

async function ask(t: { after(clean: () => Promise<void>): void }, args: string[]) {
  const server = await serve();
  t.after(() => server.close());
  server.on("GET /api/v1/events", ({ query }) => ({
    events: query.get("source") === "gone" ? [eventOf(1)] : [],
    newest: 7,
  }));
  server.on("GET /api/v1/sources/*", (_, [name]) =>
    name === "default" ? {} : problem(404, "ERR_NOT_FOUND", `there is no source "${name}"`, { hint: "known" }),
  );
  server.on("GET /api/v1/functions/*", (_, [name]) => problem(404, "ERR_NOT_FOUND", `there is no function "${name}"`));
  const setting = { folder: tmpdir(), home: tmpdir(), env: { WRKST_TOKEN: "t", WRKST_URL: server.url } };
  const result = await wrkst(["events", ...args], setting);
  return { ...result, asked: server.requests.map(({ path }) => path) };
}

test("events of a source or a function that is not there are refused, those of one that is gone are shown", async (t) => {
  for (const [what, name] of [
    ["source", "nope"],
    ["function", "nope"],
  ]) {
    const { out, err, code } = await ask(t, [`--${what}`, `${name}`]);
    assert.deepEqual([out, code], ["", 1]);
    assert.ok(err.includes(`there is no ${what} "nope"`), err);
  }
  const { out, code } = await ask(t, ["--source", "gone"]);
  assert.deepEqual([code, out.split("\n").length], [0, 3]);
});

test("where no event matches that is said, beside the whole answer with --json", async (t) => {
  const { out, err, code } = await ask(t, ["--source", "default", "--kind", "spurce"]);
  assert.deepEqual([out, code], ["", 0]);
  assert.match(err, /has happened.*source, function/);
  const json = await ask(t, ["--json"]);
  assert.deepEqual(JSON.parse(json.out).events, []);
  assert.notEqual(json.err, "");
});

test("a kind of events that cannot be one is wrong usage, and the server is not asked", async (t) => {
  for (const kind of ["A!", "", "source.", "source,,function", "a.b.c"]) {
    const { err, code, asked } = await ask(t, ["--kind", kind]);
    assert.deepEqual([code, asked], [2, []], kind);
    assert.match(err, /source\.synced.*\n.*see: wrkst events --help/);
  }
});
