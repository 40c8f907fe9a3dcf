// Whose database is which: real pushes, real functions, and what each of them reaches.
import assert from "node:assert/strict";
import { once } from "node:events";
import { request as httpRequest, type IncomingMessage } from "node:http";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import type { DatabaseDetail, FunctionStatus } from "../agent/model.js";
import { createRepository, startAgent, type TestAgent, type TestRepository } from "./harness.js";

let agent: TestAgent;
let repository: TestRepository;

before(async () => {
  [agent, repository] = await Promise.all([startAgent(), createRepository()]);
});
after(async () => {
  await Promise.all([agent?.stop(), repository?.remove()]);
});

/** `/<binding>` tells the rows, `/<binding>?add=x` adds one first; what a query throws is told with a 500. */
const CODE = `export default {
  async fetch(request, env) {
    const { pathname, searchParams } = new URL(request.url);
    const database = env[pathname.slice(1)];
    try {
      await database.exec("CREATE TABLE IF NOT EXISTS rows (value TEXT)");
      if (searchParams.has("add")) {
        await database.prepare("INSERT INTO rows VALUES (?)").bind(searchParams.get("add")).run();
      }
      const { results } = await database.prepare("SELECT value FROM rows ORDER BY rowid").all();
      return new Response(results.map(({ value }) => value).join());
    } catch (error) {
      return new Response(error.message, { status: 500 });
    }
  },
};
`;

function files(name: string, declared: string, folder = name): Record<string, string> {
  const head = `name = "${name}"\nmain = "index.js"\ncompatibility_date = "2026-08-01"\n`;
  return { [`${folder}/wrangler.toml`]: `${head}${declared}`, [`${folder}/index.js`]: CODE };
}

const binding = (name: string, id?: string) =>
  `[[d1_databases]]\nbinding = "DB"\ndatabase_name = "${name}"\n${id === undefined ? "" : `database_id = "${id}"\n`}`;

async function pushed(change: Record<string, string | null>): Promise<string> {
  await repository.commit(change);
  return (await repository.push(agent)).output;
}

async function told(name: string, path: string): Promise<string> {
  return (await agent.request(name, path)).text;
}

test("B7 what functions declare is made with the push, said, and reached by them alone", async () => {
  const output = await pushed({ ...files("shop", binding("orders")), ...files("blog", binding("posts")) });
  assert.match(output, /shop\s+created empty database "orders" \(id [0-9a-f-]{36}\)/);
  assert.match(output, /blog\s+created empty database "posts"/);
  assert.doesNotMatch(output, /-d1"/, "nothing is said of what nobody declared");
  assert.equal(await told("shop", "/DB?add=order"), "order");
  assert.equal(await told("shop", "/D1?add=own"), "own");
  assert.equal(await told("blog", "/DB"), "");
  assert.equal(await told("blog", "/D1"), "");
});

test("B7 a name that is another function's is refused with its place, and the version before keeps serving", async () => {
  await told("blog", "/DB?add=post");
  const output = await pushed(files("blog", binding("orders")));
  assert.match(output, /failed\s+blog\s+.*blog\/wrangler\.toml:4.*"orders" belongs to the function "shop"/);
  assert.equal(await told("blog", "/DB"), "post");
});

test("B7 sharing needs the owner's word, and ends with the switch that takes it back", async () => {
  const share = `[wrkst]\nshare = ["blog"]\n`;
  await pushed(files("shop", `${binding("orders")}${share}`));
  const again = await pushed({ ...files("blog", `vars = { again = 1 }\n${binding("orders")}`) });
  assert.match(again, /updated\s+blog/);
  assert.equal(await told("blog", "/DB?add=more"), "order,more");
  assert.equal(await told("shop", "/DB"), "order,more");
  const back = await pushed(files("shop", binding("orders")));
  assert.match(back, /warning\s+shop\s+"shop" shares the database "orders" with "blog" no longer/);
  assert.ok((await agent.events()).some(({ kind }) => kind === "database.withdrawn"));
  const cut = await agent.request("blog", "/DB");
  assert.deepEqual([cut.status, /not shared/.test(cut.text)], [500, true], cut.text);
  for (const path of ["", "/why"]) {
    const { databases } = await agent.api<FunctionStatus>(`/api/v1/functions/blog${path}`);
    assert.deepEqual(
      databases?.map(({ binding, name, problem }) => [binding, name, problem !== undefined]),
      [
        ["D1", "blog-d1", false],
        ["DB", "orders", true],
      ],
    );
  }
  assert.equal(await told("shop", "/DB"), "order,more");
});

test("B7 an id that the account does not have is no id: the name counts, and is made", async () => {
  const id = "11111111-2222-4333-8444-555555555555";
  const output = await pushed(files("blog", binding("mine", id)));
  assert.match(output, /created empty database "mine"/);
  assert.ok(!output.includes(id));
  assert.equal(await told("blog", "/DB?add=kept"), "kept");
});

test("B7a a function that is removed and comes back, and one whose folder is renamed, keep their data", async () => {
  await pushed({ "blog/index.js": null, "blog/wrangler.toml": null });
  const list = async (query: string) =>
    (await agent.api<{ databases: DatabaseDetail[] }>(`/api/v1/databases${query}`)).databases.map(({ name }) => name);
  assert.deepEqual(await list(""), ["orders", "shop-d1"]);
  assert.deepEqual((await list("?removed=true")).sort(), ["blog-d1", "mine", "posts"]);
  await pushed({
    ...files("blog", binding("mine")),
    ...files("shop", binding("orders"), "moved"),
    "shop/index.js": null,
    "shop/wrangler.toml": null,
  });
  assert.equal(await told("blog", "/DB"), "kept");
  assert.equal(await told("shop", "/DB"), "order,more");
  assert.equal(await told("shop", "/D1"), "own");
});

/** A request whose isolate stays the one it began with: each word is a value that it adds; answers tell how that went. */
async function startWriter(name: string) {
  const request = httpRequest({
    host: "127.0.0.1",
    port: agent.port,
    method: "POST",
    headers: { host: `${name}.localhost` },
  });
  const answering = once(request, "response") as Promise<[IncomingMessage]>;
  request.write("begin\n");
  const [response] = await answering;
  const answers = createInterface({ input: response })[Symbol.asyncIterator]();
  const heard = async () => String((await answers.next()).value);
  const add = (value: string) => {
    request.write(`${value}\n`);
    return heard();
  };
  assert.equal(await heard(), "begin: ok");
  return { add, end: () => request.destroy() };
}

const WRITER = `export default {
  async fetch(request, env) {
    const lines = request.body.pipeThrough(new TextDecoderStream());
    const { readable, writable } = new TransformStream();
    const answers = writable.getWriter();
    const answer = (text) => answers.write(new TextEncoder().encode(text + "\\n"));
    const work = async () => {
      for await (const line of lines) {
        const insert = env.DB.prepare("INSERT INTO rows VALUES (?)").bind(line.trim());
        await answer(line.trim() + ": " + await insert.run().then(() => "ok", (error) => error.message));
      }
    };
    await env.DB.exec("CREATE TABLE IF NOT EXISTS rows (value TEXT)");
    work();
    return new Response(readable);
  },
};
`;

test("B7 what is removed is closed to calls in flight too, and open again to all when it is back", async (t) => {
  const writer = (name: string) => ({ ...files(name, binding(name)), [`${name}/index.js`]: WRITER });
  await pushed(writer("writer"));
  const { add, end } = await startWriter("writer");
  t.after(end);
  const of = "/api/v1/databases/writer";
  const headers = { authorization: `Bearer ${await agent.token()}` };
  assert.equal((await agent.request("localhost", `${of}?force=true`, { method: "DELETE", headers })).status, 204);
  assert.match(await add("removed"), /^removed: D1_ERROR.*closed/);
  await agent.api(`${of}/undelete`, { method: "POST" });
  assert.equal(await add("back"), "back: ok");
  await pushed({ "writer/index.js": null, "writer/wrangler.toml": null });
  assert.match(await add("gone"), /^gone: D1_ERROR.*closed/);
  await pushed(writer("writer"));
  assert.equal(await add("again"), "again: ok");
});
