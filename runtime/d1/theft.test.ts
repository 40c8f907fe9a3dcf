// What a function can do with the fetchers that it holds: nothing but ask its own databases, in the serving process and in a
// ward. It is assumed to get hold of them, which it does here by patching what all fetchers have in common.
import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { after, test } from "node:test";
import { entryOf, startServing } from "../testing/workerd.js";
import { HOST_ENTRYPOINT, RESERVED_MODULES } from "../wire.js";
import { D1_CONTROL, D1_UNIQUE_KEY } from "./wire.js";

const TREASURE = "the-treasure-of-the-victim";
const [ENTRY, PRELUDE] = RESERVED_MODULES;

const VICTIM = `export default { async fetch(request, { DB }) {
  if (request.url.endsWith("/hide")) await DB.batch([DB.prepare("CREATE TABLE treasure (text)"), DB.prepare("INSERT INTO treasure VALUES ('${TREASURE}')")]);
  return Response.json(await DB.prepare("SELECT text FROM treasure").first("text"));
} };`;

/** Patches all that it can before anything else of it runs, and keeps whatever passes by. */
const THIEF = `import { env, exports } from "cloudflare:workers";
import * as prelude from "./${PRELUDE}";
import * as entry from "./${ENTRY}";
const atTop = Reflect.ownKeys(env);
const passed = [];
for (const name of ["fetcher", "template", "databases", "headers", "body", "__wrkstDatabases", "props", "then"]) {
  Object.defineProperty(Object.prototype, name, { configurable: true, get() { return undefined; }, set(value) {
    passed.push(name, value);
    Object.defineProperty(this, name, { value, writable: true, enumerable: true, configurable: true });
  } });
}
const spy = (owner, name) => {
  const method = owner[name];
  Object.defineProperty(owner, name, { configurable: true, writable: true, value(...given) { passed.push(this, ...given); return Reflect.apply(method, this, given); } });
};
spy(Headers.prototype, "set"); spy(Headers.prototype, "get"); spy(JSON, "stringify"); spy(JSON, "parse"); spy(Map.prototype, "set"); spy(URL.prototype, "toString");
env.DB.constructor.prototype.prepare = ((prepare) => function (...given) { passed.push(this); return prepare.apply(this, given); })(env.DB.constructor.prototype.prepare);
const stubs = [];
let isReset = false;
function capture(context) {
  for (let shared = Object.getPrototypeOf(context.exports.default); shared !== Object.prototype; shared = Object.getPrototypeOf(shared)) {
    if (!Object.hasOwn(shared, "fetch") || shared.isPatched) continue;
    shared.isPatched = true;
    const { fetch } = shared;
    shared.fetch = function (...given) {
      if (!stubs.includes(this)) stubs.push(this);
      // Whoever holds another way to the database takes that from now on, and it passes by here as well.
      if (isReset) return fetch.apply(this, given);
      isReset = true;
      return Promise.reject(Object.assign(new Error("reset"), { durableObjectReset: true }));
    };
  }
}
const attempt = async (work) => { try { return await work(); } catch (error) { return "refused: " + error.message; } };
const textOf = async (promise) => { const answer = await promise; return answer.status + " " + (answer.webSocket ? "socket" : await answer.text()); };

export default { async fetch(request, given, context) {
  capture(context);
  for (let i = 0; i < 2; i++) await given.DB.prepare("SELECT 1").first().catch(() => {});
  const asked = await request.json();
  const stub = stubs[asked.stub ?? 0];
  if (asked.raw) return Response.json(await Promise.all(asked.raw.map(([url, init]) => attempt(() => textOf(stub.fetch(url, init))))));
  if (asked.modules) return Response.json(await Promise.all(asked.modules.map((name) => attempt(async () => Object.keys(await import(name))))));
  if (asked.sql) return Response.json(await Promise.all(asked.sql.map((sql) => attempt(() => given.DB.prepare(sql).all()))));
  const seen = new Set(), texts = [];
  const look = (value) => {
    if (typeof value === "string") texts.push(value);
    if ((typeof value !== "object" && typeof value !== "function") || value === null || seen.has(value)) return;
    seen.add(value);
    if (value instanceof Headers || value instanceof Map) for (const pair of value) look(pair);
    for (const key of Reflect.ownKeys(value)) { texts.push(String(key)); try { look(value[key]); } catch {} }
    look(Object.getPrototypeOf(value));
  };
  [passed, given, env, context, stubs, exports, globalThis.process?.env].forEach(look);
  const rpc = [];
  for (const name of ["exec", "sql", "storage", "ctx", "env", "all", "call", "retire", "dump", "get", "getByName", "idFromName", "alarm", "webSocketMessage", "id", "name", "handle"]) {
    rpc.push(await attempt(async () => "answered: " + await stub[name]("SELECT 1")));
  }
  rpc.push(await attempt(async () => "answered: " + (await stub.id).toString()), await attempt(async () => "answered: " + await stub.name));
  return Response.json({
    atTop: atTop.map(String), now: Reflect.ownKeys(given).map(String), texts, rpc, captured: stubs.length,
    type: [stub.constructor.name, "id" in stub && typeof stub.id === "string"],
    exports: Object.keys(context.exports), modules: [Object.keys(prelude), Object.keys(entry)],
    connect: await attempt(async () => { const socket = stub.connect("d1:80"); await socket.opened; return "connected"; }),
    clone: await attempt(() => typeof structuredClone(stub)),
    sent: await attempt(() => context.exports.default.fetch("http://x/", { method: "POST", body: stub })).then(String),
  });
} };`;

const serving = await startServing({ after });
const hidden = await serving.version(VICTIM, { databases: { DB: "victim.1" } });
const prying = await serving.version(THIEF, {
  databases: { DB: "thief.1", OTHER: "thief.2" },
  compatibilityFlags: ["enable_ctx_exports"],
});
await serving.publish({ victim: hidden, thief: prying });
const ward = await serving.startWard({
  generation: 1,
  functions: { victim: entryOf(hidden), thief: entryOf(prying) },
  revisions: [],
});
await serving.get("victim.base.test", "/hide");

/** `held`: ways to its first database, of which the thief finds each. */
const places = { "the serving process": { get: serving.get, held: 2 }, "a ward": { get: ward.get, held: 1 } };

for (const [place, { get, held }] of Object.entries(places)) {
  const ask = async (body: unknown) => {
    const answer = await get("thief.base.test", "/", { body: JSON.stringify(body) });
    assert.equal(answer.status, 200, answer.text);
    return answer.json();
  };
  const victimIsUnharmed = async () => {
    assert.equal((await get("victim.base.test")).text, JSON.stringify(TREASURE));
    assert.deepEqual(
      await ask({ raw: [["http://d1/query", { method: "POST", body: '{"sql":"SELECT 1 AS x"}' }]] }).then(rowsOf),
      [1],
    );
  };

  const findsNothing = async (answer: unknown) => {
    const found = answer as Record<string, unknown> & { texts: string[]; rpc: string[] };
    assert.deepEqual(
      [found.atTop, found.now],
      [
        ["DB", "OTHER"],
        ["DB", "OTHER"],
      ],
    );
    assert.ok((found.captured as number) >= held, "the thief holds its stubs, which is what this test is about");
    assert.deepEqual(
      found.texts.filter((text) => /(victim|thief)\.\d|x-wrkst-d1|D1_TEMPLATE|DATABASES/.test(text)),
      [],
    );
    assert.deepEqual(
      found.rpc.filter((text) => !text.startsWith("refused: ")),
      [],
    );
    assert.deepEqual((found.exports as string[]).sort(), [HOST_ENTRYPOINT, "default"].sort());
    assert.deepEqual(found.modules, [
      ["bindDatabases", "countWork", "withStacks", "work"],
      [HOST_ENTRYPOINT, "default"],
    ]);
    for (const name of ["connect", "clone", "sent"])
      assert.match(String(found[name]), /^refused: |\[object Response\]/, name);
    await victimIsUnharmed();
  };

  test(`B7: in ${place}, neither names nor keys nor methods of objects can be found by patching what is shared`, async () => {
    for (let stub = 0; stub < held; stub++) await findsNothing(await ask({ stub }));
    await victimIsUnharmed();
  });

  test(`B7: in ${place}, a raw stub answers statements and nothing else, whatever is asked, and only of its own database`, async () => {
    const body = JSON.stringify({
      object: "victim.1",
      objects: ["victim.1", "thief.1"],
      function: "victim",
      statements: [{ sql: "SELECT * FROM treasure" }],
      sql: "SELECT * FROM treasure",
    });
    const forged = [
      {},
      { "x-wrkst-d1-key": "0".repeat(72) },
      { "x-wrkst-d1-key": "" },
      { "x-wrkst-d1-key": "undefined" },
      { "x-wrkst-d1-caller": JSON.stringify({ function: "victim", object: "victim.1" }) },
      { "x-wrkst-d1-call": "1", "cf-worker": "victim", authorization: "Bearer victim.1" },
    ];
    const hosts = ["http://d1", "http://victim.1", "https://router", "http://thief:victim@d1"];
    const paths = [
      ...Object.values(D1_CONTROL),
      ...["/query", "/execute", "/dump", "/", "/victim.1/query", "/../victim.1/query", "/%2e%2e/victim.1/query"],
      ...["//victim.1/query", "/query?object=victim.1", "/state", "/evict", "/change", "/trace", "/QUERY", "/query/"],
    ];
    const raw = hosts.flatMap((host) =>
      paths.flatMap((path) => [
        ...forged.map((headers) => [`${host}${path}`, { method: "POST", body, headers }]),
        ...["GET", "PUT", "DELETE", "OPTIONS"].map((method) => [`${host}${path}`, { method }]),
        [`${host}${path}`, { headers: { upgrade: "websocket" } }],
      ]),
    );
    const all = await Promise.all(Array.from({ length: held }, (_, stub) => ask({ raw, stub })));
    const answers = all.flat() as string[];
    assert.equal(answers.length, raw.length * held);
    const surprising = answers.filter((text) => !/^(refused: |404 |200 \{"success":false,)/.test(text));
    assert.deepEqual(surprising, []);
    assert.deepEqual(
      answers.filter((text) => text.includes(TREASURE)),
      [],
    );
    assert.ok(answers.some((text) => text.includes("no such table: treasure")));
    await victimIsUnharmed();
  });

  test(`B7: in ${place}, SQL reaches no other file, and no module of the platform is to be had`, async () => {
    const folder = join(serving.dataDir, "do", D1_UNIQUE_KEY);
    const files = (await readdir(folder)).filter((file) => file.endsWith(".sqlite")).map((file) => join(folder, file));
    assert.ok(files.length >= 2);
    const sql = files.flatMap((file) => [
      `ATTACH DATABASE '${file}' AS other`,
      `VACUUM INTO '${file}.stolen'`,
      `SELECT readfile('${file}')`,
      `SELECT writefile('${file}', 'x')`,
      `SELECT load_extension('${file}')`,
      `SELECT * FROM fsdir('${folder}')`,
      `PRAGMA temp_store_directory = '${folder}'`,
      `CREATE VIRTUAL TABLE other USING dbstat('${file}')`,
    ]);
    for (const answer of (await ask({ sql })) as unknown[]) assert.match(String(answer), /^refused: D1_ERROR/);
    const names = ["d1-api", "env", "wrapped-binding", "workers", "tracing-helpers"].map(
      (name) => `cloudflare-internal:${name}`,
    );
    const modules = [...names, "workerd:unsafe", "workerd-internal:env", "./router.js", "router.js", "./d1/calls.js"];
    for (const answer of (await ask({ modules })) as unknown[]) assert.match(String(answer), /^refused: /);
    await victimIsUnharmed();
  });
}

function rowsOf(answers: unknown): unknown[] {
  const [first] = answers as string[];
  const parsed = JSON.parse(first!.slice(4)) as { results: { x: number }[] }[] | { results: { x: number }[] };
  return (Array.isArray(parsed) ? parsed[0]! : parsed).results.map(({ x }) => x);
}
