// Previews of branches, with one agent: what a push of another branch brings, and what it leaves alone.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import {
  createRepository,
  freePort,
  functionFiles,
  startAgent,
  type TestAgent,
  type TestRepository,
} from "./harness.js";

let agent: TestAgent;
let repository: TestRepository;
let dataDir: string;
let port: number;

before(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "wrkst-branches-"));
  [repository, port] = await Promise.all([createRepository(), freePort()]);
  agent = await startAgent({ dataDir, port });
});
after(async () => {
  await agent?.stop();
  await Promise.all([repository?.remove(), rm(dataDir, { recursive: true, force: true })]);
});

/** `?add=x` adds a row first; tells the label, the rows, and whether there is a secret. */
const codeOf = (label: string) => `export default {
  async fetch(request, env) {
    const add = new URL(request.url).searchParams.get("add");
    try {
      await env.DB.exec("CREATE TABLE IF NOT EXISTS t (x TEXT)");
      if (add) await env.DB.prepare("INSERT INTO t VALUES (?)").bind(add).run();
      const { results } = await env.DB.prepare("SELECT x FROM t ORDER BY rowid").all();
      return new Response(["${label}", results.map(({ x }) => x).join(), env.SECRET ?? "none"].join(":"));
    } catch (error) {
      return new Response(error.message, { status: 500 });
    }
  },
};
`;
const shopFiles = (label: string) => ({
  "shop/wrangler.toml":
    'name = "shop"\nmain = "index.js"\ncompatibility_date = "2026-08-01"\n[[d1_databases]]\nbinding = "DB"\n',
  "shop/index.js": codeOf(label),
});
const told = async (host: string, path = "/") => (await agent.request(host, path)).text;
const statusOf = async (host: string) => (await agent.request(host)).status;

test("a pushed branch answers on both forms of its host, with a copy of the data and without secrets, and production stays", async () => {
  await repository.commit({ ...shopFiles("one"), ...functionFiles("hello", "hello") });
  await repository.push(agent);
  await agent.api("/client/v4/accounts/main/workers/scripts/shop/secrets", {
    method: "PUT",
    body: JSON.stringify({ name: "SECRET", text: "s3cret", type: "secret_text" }),
    headers: { "content-type": "application/json" },
  });
  await told("shop", "/?add=a");
  await repository.git("checkout", "--quiet", "-b", "Feature/X");
  const commit = await repository.commit(shopFiles("two"));
  const { output, ok } = await repository.push(agent, "HEAD:Feature/X");
  assert.ok(ok);
  assert.match(output, new RegExp(`preview +shop +http://feature-x--shop\\.localhost:${port}\\s*$`, "m"));
  assert.equal(await told("feature-x--shop"), "two:a:none");
  assert.equal(await told("feature-x.shop.localhost", "/?add=mine"), "two:a,mine:none");
  assert.equal(await told(`${commit.slice(0, 7)}--shop`), "two:a,mine:none");
  assert.equal(await told("shop"), "one:a:s3cret");
  assert.equal(await statusOf("feature-x--hello"), 404, "what does not differ has no alias");
});
