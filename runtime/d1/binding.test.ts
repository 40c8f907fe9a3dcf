// Databases in `env`, in a real workerd: which objects functions find there, and where.
import assert from "node:assert/strict";
import { once } from "node:events";
import { PassThrough } from "node:stream";
import { after, test } from "node:test";
import { WebSocket } from "ws";
import { startServing, until } from "../testing/workerd.js";
import type { RuntimeState } from "../wire.js";

const serving = await startServing({ after });

const ask = async (name: string, path = "/") => {
  const { status, text } = await serving.get(`${name}.base.test`, path);
  assert.equal(status, 200, text);
  return JSON.parse(text) as unknown;
};

test("handlers, entry point classes and the module scope find the same databases, of workerd's class, and nothing else of ours", async () => {
  const look = `const look = (env) => [Object.keys(env).sort(), env.D1 === importable.D1, env.D1 !== env.constructor,
    [env.D1, env.constructor].map((database) => database.constructor.name), JSON.stringify(env)];`;
  const imports = `import { env as importable, WorkerEntrypoint } from "cloudflare:workers"; const early = Object.keys(importable).sort();`;
  const use = `Response.json([early, look(ENV), await ENV.D1.prepare("SELECT 1 AS one").first("one")])`;
  await serving.deploy(
    {
      object: `${imports}${look} export default { async fetch(request, env) { return ${use.replaceAll("ENV", "env")}; } };`,
      class: `${imports}${look} export default class extends WorkerEntrypoint { async fetch() { return ${use.replaceAll("ENV", "this.env")}; } };`,
    },
    { vars: { A: 1 }, databases: { D1: "a.1", constructor: "b.1", toString: "b.1" } },
  );
  const names = ["A", "D1", "constructor", "toString"];
  for (const name of ["object", "class"]) {
    const classes = ["D1Database", "D1Database"];
    const [early, [keys, isSame, areTwo, found, text], one] = (await ask(name)) as [string[], unknown[], number];
    assert.deepEqual([early, keys, isSame, areTwo, found, one], [names, names, true, true, classes, 1]);
    assert.doesNotMatch(String(text), /a\.1|b\.1/);
  }
});

test("a database is there under the flag that forbids to import env, also after the function has ended its own isolate", async () => {
  const end = `if (request.url.endsWith("/end")) abortIsolate("over");`;
  const imports = `import { abortIsolate, env as importable, WorkerEntrypoint } from "cloudflare:workers"; const early = Object.keys(importable);`;
  const use = `Response.json([early, Object.keys(ENV), await ENV.DB.prepare("SELECT 1 AS one").first("one")])`;
  await serving.deploy(
    {
      strict: `${imports} export default { async fetch(request, env) { ${end} return ${use.replaceAll("ENV", "env")}; } };`,
      strictclass: `${imports} export default class extends WorkerEntrypoint {
        async fetch(request) { ${end} return ${use.replaceAll("ENV", "this.env")}; } };`,
    },
    { compatibilityFlags: ["disallow_importable_env"], databases: { DB: "a.1" } },
  );
  for (const name of ["strict", "strictclass"]) {
    assert.deepEqual(await ask(name), [[], ["DB"], 1]);
    assert.equal((await serving.get(`${name}.base.test`, "/end")).status, 502);
    assert.deepEqual(await ask(name), [[], ["DB"], 1]);
  }
});

test("a function without databases finds nothing but what is its own", async () => {
  const source = `import { env } from "cloudflare:workers"; const early = Object.keys(env);
  export default { fetch(request, env) { return Response.json([early, Object.keys(env)]); } };`;
  await serving.deploy({ bare: source }, { vars: { A: 1 } });
  assert.deepEqual(await ask("bare"), [["A"], ["A"]]);
});

test("a binding without a database answers every query why", async () => {
  const source = `const said = (promise) => promise.then(() => "fine", (error) => [error.message, error.cause.message]);
  export default { async fetch(request, { D1 }) {
    const one = D1.prepare("SELECT 1");
    return Response.json(await Promise.all([one.all(), one.first(), D1.batch([one]), D1.exec("SELECT 1"), D1.withSession().prepare("SELECT 1").run()].map(said)));
  } };`;
  await serving.deploy({ refused: source }, { databases: { D1: { refused: "it was taken away" } } });
  const why = ["D1_ERROR: it was taken away", "it was taken away"];
  assert.deepEqual(await ask("refused"), [why, why, why, why, why]);
});

test("a database can be asked beside the answer, in streams, and in what sockets say, also while the isolate is evicted", async (t) => {
  const source = `const add = (db, text) => db.prepare("INSERT INTO said VALUES (?)").bind(text).run();
  const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  export default { async fetch(request, { DB }, context) {
    const { pathname } = new URL(request.url);
    if (pathname === "/all") return Response.json((await DB.prepare("SELECT * FROM said ORDER BY 1").raw()).flat());
    if (pathname === "/later") context.waitUntil(wait(10).then(() => add(DB, "later")));
    if (pathname === "/ws") {
      const [client, server] = Object.values(new WebSocketPair());
      server.accept();
      server.addEventListener("message", async ({ data }) => { await add(DB, data); server.send((await DB.prepare("SELECT 'kept ' || text AS text FROM said WHERE text = ?").bind(data).first("text"))); });
      return new Response(null, { status: 101, webSocket: client });
    }
    if (pathname === "/stream") {
      const rows = async function* () { for (let i = 0; i < 3; i++) { await wait(5); yield new TextEncoder().encode(await DB.prepare("SELECT ? || ?").bind("row", String(i)).first("? || ?")); } };
      return new Response(ReadableStream.from(rows()));
    }
    await DB.exec("CREATE TABLE IF NOT EXISTS said (text)");
    return Response.json(null);
  } };`;
  await serving.deploy({ lasting: source }, { databases: { DB: "lasting.1" } });
  await ask("lasting");
  const socket = new WebSocket(`ws://127.0.0.1:${serving.port}/ws`, { headers: { host: "lasting.base.test" } });
  t.after(() => socket.terminate());
  await once(socket, "open");
  await ask("lasting", "/later");
  const streamed = serving.get("lasting.base.test", "/stream");
  await serving.control("/evict", { functions: ["lasting"] });
  assert.equal((await streamed).text, "row0row1row2");
  socket.send("hi");
  assert.equal(String((await once(socket, "message"))[0]), "kept hi");
  await until(async () => JSON.stringify(await ask("lasting", "/all")) === '["hi","later"]', "both rows");
});

test("other objects are another isolate, at once, and requests in flight finish with the objects that they began with", async () => {
  const source = `let count = 0, entered = 0; export default { async fetch(request, { DB }) {
    const answer = async () => [++count, await DB.prepare("SELECT count(*) n FROM sqlite_schema WHERE name = 'old'").first("n")];
    const { pathname } = new URL(request.url);
    if (pathname === "/make") await DB.exec("CREATE TABLE old (a)");
    if (pathname === "/count") return Response.json(entered);
    if (pathname !== "/slow") return Response.json(await answer());
    entered++;
    await request.text();
    return Response.json(await answer());
  } };`;
  const spec = await serving.version(source, { databases: { DB: "moved.1" } });
  await serving.publish({ moved: spec });
  assert.deepEqual(await ask("moved", "/make"), [1, 1]);
  const isolates = async () => ((await serving.control("/state")).json() as RuntimeState).isolates;
  const before = await isolates();
  const body = new PassThrough();
  const slow = serving.get("moved.base.test", "/slow", { body });
  await until(async () => (await ask("moved", "/count")) === 1, "the slow one is in flight");
  await ask("moved");
  await serving.publish({ moved: { ...spec, databases: { DB: "moved.2" } } });
  assert.deepEqual(await ask("moved"), [1, 0]);
  body.end();
  assert.deepEqual((await slow).json(), [3, 1]);
  assert.deepEqual(await ask("moved"), [2, 0]);
  assert.equal(await isolates(), before);
  await serving.publish({ moved: { ...spec, databases: { DB: { refused: "it was taken away" } } } });
  const { text } = await serving.get("moved.base.test");
  assert.match(text, /ERR_FUNCTION/);
  assert.equal(await isolates(), before);
});

test("D3: a database that met a full disk says so, and is there again when there is room, in the same isolate", async (t) => {
  const tight = await startServing(t, { maxFile: 3 * 2 ** 20 });
  const source = `let requests = 0;
  const said = (promise) => promise.catch((error) => error.message);
  export default { async fetch(request, { DB }) {
    const { pathname } = new URL(request.url);
    if (pathname === "/make") await DB.exec("CREATE TABLE large (bytes)");
    const add = (size) => said(DB.prepare("INSERT INTO large VALUES (zeroblob(?))").bind(size).run().then(() => "added"));
    const answer = pathname === "/fill" ? await add(500_000) : await add(1);
    return Response.json([++requests, answer, await said(DB.prepare("SELECT count(*) AS n FROM large").first("n"))]);
  } };`;
  await tight.deploy({ full: source }, { databases: { DB: "full.1" } });
  const ask = async (path: string) => (await tight.get("full.base.test", path)).json() as [number, string, number];
  assert.deepEqual(await ask("/make"), [1, "added", 1]);
  let last = await ask("/fill");
  for (; last[1] === "added"; last = await ask("/fill")) assert.equal(last[2], last[0]);
  assert.match(last[1], /SQLITE_(IOERR|FULL)/);
  const kept = last[0] - 1;
  const [requests, answer, rows] = await ask("/");
  assert.deepEqual([requests, answer, rows], [kept + 2, "added", kept + 1]);
});
