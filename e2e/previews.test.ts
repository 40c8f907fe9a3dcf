// Previews of branches, with one agent: what a push of another branch brings, and what it leaves alone.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { objectFile } from "../agent/databases/index.js";
import type { PreviewEntry } from "../agent/model.js";
import { openSqlite } from "../agent/sqlite.js";
import {
  createRepository,
  freePort,
  functionFiles,
  startAgent,
  type TestAgent,
  type TestRepository,
  until,
} from "./harness.js";

const run = promisify(execFile);
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

/** A preview of the function at the commit. */
async function askFor(name: string, commit: string, query: string) {
  return agent.request("localhost", `/api/v1/functions/${name}/previews${query}`, {
    method: "POST",
    body: JSON.stringify({ commit }),
    headers: { "content-type": "application/json", authorization: `Bearer ${await agent.token()}` },
  });
}

/** `?add=x` adds a row first; tells the label, the rows, and whether there is a secret. */
const codeOf = (label: string) => `export default {
  async fetch(request, env) {
    const add = new URL(request.url).searchParams.get("add");
    try {
      await env.DB.exec("CREATE TABLE IF NOT EXISTS t (x TEXT)");
      if (add) await env.DB.prepare("INSERT INTO t (x) VALUES (?)").bind(add).run();
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
const previewsOf = async (name: string) =>
  (await agent.api<{ previews: PreviewEntry[] }>(`/api/v1/functions/${name}/previews`)).previews;
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

test("what is pushed to a branch goes on with the branch's data, also when its history was rewritten", async () => {
  const two = await repository.git("rev-parse", "HEAD");
  const three = await repository.commit(shopFiles("three"));
  await repository.push(agent, "HEAD:Feature/X");
  assert.equal(await told("feature-x--shop"), "three:a,mine:none");
  await repository.git("reset", "--quiet", "--hard", "HEAD~2");
  const forced = await repository.commit(shopFiles("four"));
  await repository.push(agent, "--force", "HEAD:Feature/X");
  assert.equal(await told("feature-x--shop"), "four:a,mine:none");
  assert.equal(await told(`${forced.slice(0, 7)}--shop`), "four:a,mine:none");
  assert.equal(await told(`${three.slice(0, 7)}--shop`, "/?add=more"), "three:a,mine,more:none", "for a while");
  assert.equal(await told("feature-x--shop"), "four:a,mine,more:none", "with the branch's data");
  const replaced = (await previewsOf("shop")).filter(({ state }) => state === "replaced");
  assert.deepEqual(
    replaced.map(({ commit, branch }) => [commit, branch]),
    [three, two].map((commit) => [commit, "Feature/X"]),
  );
  assert.ok(replaced.every(({ expiresAt, updatedAt }) => expiresAt === updatedAt + 7 * 86_400_000));
  assert.equal(await told("shop"), "one:a:s3cret");
});

test("a commit that was never built is built for who may deploy, once, on data of its own and without secrets", async () => {
  const ask = (commit: string, name = "shop", query = "?wait=true") => askFor(name, commit, query);
  const admin = await agent.token();
  await repository.git("checkout", "--quiet", "-B", "past", "main");
  const middle = await repository.commit(shopFiles("middle"));
  await repository.git("tag", "v1");
  const none = await repository.commit({ shop: null });
  await repository.commit({ ...shopFiles("tip"), ...functionFiles("hello", "tip") });
  await repository.push(agent, "HEAD:past");
  const host = `${middle.slice(0, 7)}--shop`;
  assert.equal(await statusOf(host), 404, "nobody without a credential has it built");
  const [first, second] = await Promise.all([ask(middle.slice(0, 9)), ask(middle)]);
  assert.deepEqual([first.status, JSON.parse(first.text)], [200, JSON.parse(second.text)], first.text);
  const { url, version, commit, state } = JSON.parse(first.text);
  assert.deepEqual([url, commit, state], [`http://${middle.slice(0, 12)}--shop.localhost:${port}`, middle, "ready"]);
  assert.equal(await told(host, "/?add=own"), "middle:a,own:none");
  assert.equal(await told(`${version.slice(0, 8)}--shop`), "middle:a,own:none");
  const kinds = (await agent.events()).filter(({ message }) => message.includes(middle.slice(0, 12)));
  assert.deepEqual(kinds.map(({ kind }) => kind).sort(), ["preview.created", "preview.requested"]);
  const again = await ask(middle, "shop", "");
  assert.equal(again.status, 200, "it is there");
  const suspended = await agent.api("/api/v1/functions/shop/suspend", {
    ...{ method: "POST", body: JSON.stringify({ reason: "fair" }), headers: { "content-type": "application/json" } },
  });
  assert.ok(suspended);
  const held = await ask(none);
  assert.deepEqual([held.status, JSON.parse(held.text).code], [409, "ERR_SUSPENDED"], held.text);
  await agent.api("/api/v1/functions/shop/resume", { method: "POST" });

  assert.equal(JSON.parse((await ask("past")).text).commit, await repository.git("rev-parse", "HEAD"));
  const refusals: [string, string, number, string][] = [
    [none, "shop", 404, "ERR_NOT_FOUND"],
    ["0".repeat(40), "shop", 404, "ERR_NOT_FOUND"],
    [middle, "nobody", 404, "ERR_NOT_FOUND"],
    ["--upload-pack=x", "shop", 400, "ERR_GIT_REFUSED"],
  ];
  for (const [ref, name, status, code] of refusals) {
    const answer = await ask(ref, name);
    assert.deepEqual([answer.status, JSON.parse(answer.text).code], [status, code], answer.text);
  }

  const remove = await agent.request("localhost", `/api/v1/functions/shop/previews/${middle.slice(0, 7)}`, {
    method: "DELETE",
    headers: { authorization: `Bearer ${admin}` },
  });
  assert.equal(remove.status, 204, remove.text);
  assert.equal(await statusOf(host), 404);
  await repository.push(agent, "v1");
  const late = await ask("v1", "shop", "");
  assert.equal(late.status, 202, late.text);
  const { url: job } = JSON.parse(late.text);
  await until("the job is done", async () => (await agent.api<{ state: string }>(job)).state === "done");
  assert.equal(await told(host), "middle:a:none");
  await repository.push(agent, "--delete", "past");
});

test("migrations of a branch are applied to its own copies, file by file, anew where one was changed, and never to production", async () => {
  const ledger = (files: Record<string, string | null>) => ({
    "ledger/wrangler.toml":
      'name = "ledger"\nmain = "index.js"\ncompatibility_date = "2026-08-01"\n[[d1_databases]]\nbinding = "DB"\n',
    "ledger/index.js": codeOf("ledger").replace("SELECT x", "SELECT *").replace("({ x }) => x", "JSON.stringify"),
    ...Object.fromEntries(Object.entries(files).map(([name, sql]) => [`ledger/migrations/${name}.sql`, sql])),
  });
  const push = async (branch: string, files: Record<string, string | null>) => {
    await repository.commit(ledger(files));
    return (await repository.push(agent, `HEAD:${branch}`)).output;
  };
  await repository.git("checkout", "--quiet", "main");
  await push("main", { "1": "CREATE TABLE t (x TEXT);" });
  await told("ledger", "/?add=a");
  await repository.git("checkout", "--quiet", "-b", "schema");
  assert.match(
    await push("schema", { "2": "ALTER TABLE t ADD COLUMN y TEXT DEFAULT 'two';" }),
    /preview +ledger +http/,
    "only a migration differs",
  );
  const row = (rows: object[]) => `ledger:${rows.map((one) => JSON.stringify(one)).join()}:none`;
  assert.equal(await told("schema--ledger"), row([{ x: "a", y: "two" }]));
  await told("schema--ledger", "/?add=mine");
  await push("schema", { "3": "ALTER TABLE t ADD COLUMN z TEXT DEFAULT 'three';" });
  const all = ["a", "mine"].map((x) => ({ x, y: "two", z: "three" }));
  assert.equal(await told("schema--ledger"), row(all), "what is new is applied to what the branch has");
  const failed = await push("schema", { "4": "-- first\nALTER TABLE nowhere ADD COLUMN z;" });
  assert.match(failed, /failed +ledger +ledger\/migrations\/4\.sql:2:\d+: .*nowhere/);
  assert.equal(await statusOf("schema--ledger"), 404);
  const changed = await push("schema", { "4": null, "3": "ALTER TABLE t ADD COLUMN z TEXT DEFAULT 'other';" });
  assert.match(changed, /note: the migration "3\.sql" was changed or removed/);
  assert.equal(await told("schema--ledger"), row([{ x: "a", y: "two", z: "other" }]));
  assert.equal(await told("ledger"), row([{ x: "a" }]));
  await repository.git("checkout", "--quiet", "main");
  await repository.git("merge", "--quiet", "schema");
  await repository.push(agent);
  assert.equal(await told("ledger"), row([{ x: "a", y: "two", z: "other" }]));
  await until("nothing differs any more", async () => (await statusOf("schema--ledger")) === 404);
  await repository.push(agent, "--delete", "schema");
});

test("a function that only a branch has is there under its label, and a broken one fails alone", async () => {
  await repository.git("checkout", "--quiet", "main");
  await repository.git("checkout", "--quiet", "-b", "new");
  await repository.commit({
    ...functionFiles("fresh", "fresh"),
    ...functionFiles("hello", "changed"),
    "shop/index.js": "export default {",
    ...functionFiles("hidden", "hidden"),
    "hidden/wrangler.toml":
      'name = "hidden"\nmain = "index.ts"\ncompatibility_date = "2026-08-01"\n[wrkst]\npreview = false\n',
  });
  const { output } = await repository.push(agent, "HEAD:new");
  assert.match(output, /failed +shop +shop\/index\.js:1:\d+: /);
  assert.deepEqual(
    [await told("new--fresh"), await told("new--hello"), await told("hello")],
    ["fresh", "changed", "hello"],
  );
  assert.deepEqual(await Promise.all(["fresh", "new--shop", "new--hidden"].map(statusOf)), [404, 404, 404]);
  assert.equal(await told("shop"), "one:a:s3cret");
  const { state, version } = await agent.functionStatus("fresh");
  assert.deepEqual([state, version], ["pending", null]);
  const kinds = (await agent.events()).map(({ kind }) => kind);
  for (const kind of ["preview.created", "preview.updated", "preview.failed"]) assert.ok(kinds.includes(kind), kind);
});

test("what is merged serves without being built again, and is a preview no more", async () => {
  await repository.git("checkout", "--quiet", "main");
  await repository.commit(functionFiles("fresh", "fresh"));
  await repository.push(agent);
  assert.equal(await told("fresh"), "fresh");
  await until("the branch has nothing of its own there", async () => (await statusOf("new--fresh")) === 404);
  assert.equal(await told("new--hello"), "changed");
});

/** Files of copies that branches have. */
function copies(): string[] {
  const db = openSqlite(join(dataDir, "registry.sqlite"), { readonly: true });
  const ids = db.prepare<[], string>("SELECT id FROM version_copies WHERE version_id LIKE 'preview:%'").pluck().all();
  db.close();
  return ids.map((id) => objectFile(dataDir, String(id), 1)).filter((file) => existsSync(file));
}

test("with a branch go its hosts, its data and the functions that it alone had, also while the agent is away", async () => {
  await repository.git("checkout", "--quiet", "-b", "short");
  const commit = await repository.commit({ ...functionFiles("lone", "lone"), ...shopFiles("short") });
  await repository.push(agent, "HEAD:short");
  assert.deepEqual([await told("short--lone"), await told("short--shop")], ["lone", "short:a:none"]);
  const [version] = (await agent.api<{ versions: { id: string }[] }>("/api/v1/functions/lone")).versions;
  const { output } = await repository.push(agent, "--delete", "short");
  assert.match(output, /the preview of short is gone/);
  const hosts = ["short--lone", "short--shop", `${commit.slice(0, 8)}--shop`, `${version!.id.slice(0, 8)}--lone`];
  assert.deepEqual(await Promise.all(hosts.map(statusOf)), [404, 404, 404, 404]);
  assert.ok(!(await agent.status()).functions.some(({ name }) => name === "lone"));

  const before = copies().length;
  assert.ok(before > 0);
  const asked = await askFor("hello", commit, "");
  assert.equal(asked.status, 202, asked.text);
  await agent.kill();
  await run("git", ["--git-dir", join(dataDir, "git/functions.git"), "update-ref", "-d", "refs/heads/Feature/X"]);
  agent = await startAgent({ dataDir, port });
  await until("the preview is gone", async () => (await statusOf("feature-x--shop")) === 404);
  await until("what was asked for before the kill is there", async () => {
    return (await told(`${commit.slice(0, 8)}--hello`)) === "hello";
  });
  await until("its data is gone", () => copies().length < before);
  assert.equal(await told("new--hello"), "changed");
});

/** Branches from main, made by one process. */
async function importBranches(branches: { name: string; files: Record<string, string> }[]): Promise<void> {
  const blob = (path: string, text: string) => `M 100644 inline ${path}\ndata ${Buffer.byteLength(text)}\n${text}\n`;
  const stream = branches.map(({ name, files }) => {
    const changes = Object.entries(files).map(([path, text]) => blob(path, text));
    return `commit refs/heads/${name}\ncommitter Test <test@example.com> 1 +0000\ndata 0\nfrom refs/heads/main^0\n${changes.join("")}\n`;
  });
  const child = run("git", ["fast-import", "--quiet"], { cwd: repository.dir });
  child.child.stdin?.end(stream.join(""));
  await child;
}

test("a suspended source makes no previews: who pushes a branch is told so, and it is there after the resumption", async () => {
  const ofSource = (verb: string) =>
    agent.api(`/api/v1/sources/default/${verb}`, {
      ...{ method: "POST", body: JSON.stringify({ reason: "fair" }), headers: { "content-type": "application/json" } },
    });
  await ofSource("suspend");
  await repository.git("checkout", "--quiet", "-B", "waiting", "main");
  await repository.commit(functionFiles("hello", "waiting"));
  const { output, ok } = await repository.push(agent, "HEAD:waiting");
  assert.ok(ok, output);
  assert.match(output, /kept; the source "default" is suspended by admin: fair/);
  assert.equal(await statusOf("waiting--hello"), 404);
  await ofSource("resume");
  await until("the preview is there", async () => (await told("waiting--hello")).includes("waiting"));
});

test("fifty branches of one push are previewed, each with what is its own", async () => {
  const names = Array.from({ length: 50 }, (_, index) => `many/${index}`);
  await importBranches(names.map((name) => ({ name, files: functionFiles("hello", name) })));
  const { output } = await repository.push(agent, ...names.map((name) => `${name}:${name}`));
  assert.equal(output.match(/preview +hello/g)?.length, 50);
  const answers = await Promise.all(names.map((name) => told(`${name.replace("/", "-")}--hello`)));
  assert.deepEqual(answers, names);
  assert.equal(await told("hello"), "hello");
});
