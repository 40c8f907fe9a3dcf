import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Deployment } from "../agent/model.js";
import { createRepository, functionFiles, startAgent, type TestAgent, type TestRepository } from "./harness.js";

let agent: TestAgent;
let repository: TestRepository;

before(async () => {
  [agent, repository] = await Promise.all([startAgent(), createRepository()]);
});
after(async () => {
  await Promise.all([agent?.stop(), repository?.remove()]);
});

const COUNTER = `let requests = 0;\nexport default { fetch() { return new Response(String(++requests)); } };\n`;

async function served(name: string, path = "/"): Promise<string> {
  return (await agent.request(name, path)).text;
}

test("a push serves, and the pusher sees the URL", async () => {
  await repository.commit({
    ...functionFiles("hello", "one"),
    ...functionFiles("other", "x"),
    "other/index.ts": COUNTER,
  });
  const pushed = await repository.push(agent);
  assert.ok(pushed.ok, pushed.output);
  assert.match(pushed.output, /created\s+hello\s+http:\/\/hello\.localhost/);
  assert.equal(await served("hello"), "one");
  assert.equal(await served("other"), "1");
  const { deployments } = await agent.api<{ deployments: Deployment[] }>("/api/v1/functions/hello");
  assert.deepEqual([deployments[0]?.cause, deployments[0]?.author], ["push", "admin"]);
});

test("a second push updates what it changed and leaves the isolates of the others alone", async () => {
  await repository.commit(functionFiles("hello", "two"));
  const pushed = await repository.push(agent);
  assert.match(pushed.output, /updated\s+hello/);
  assert.match(pushed.output, /1 updated, 1 unchanged/);
  assert.equal(await served("hello"), "two");
  assert.equal(await served("other"), "2");
});

test("the numbers for Prometheus tell both pushes", async () => {
  const headers = { authorization: `Bearer ${await agent.token()}` };
  const { text } = await agent.request("localhost", "/metrics", { headers });
  assert.match(text, /^wrkst_reconcile_total\{source="default",result="switched"\} 2$/m);
  assert.match(text, /^wrkst_push_to_live_seconds_count\{source="default",phase="load"\} 2$/m);
  assert.match(text, /^wrkst_deployments_total\{cause="push"\} 3$/m);
  assert.match(text, /^wrkst_source_last_fetch_age_seconds\{source="default"\} \d/m);
  assert.match(text, /^wrkst_runtime_up 1$/m);
});

const broken: { name: string; files: Record<string, string>; code: string; says: RegExp }[] = [
  {
    name: "a syntax error",
    files: { "hello/index.ts": "export default {\n  fetch( { }\n};\n" },
    code: "ERR_BUNDLE",
    says: /hello\/index\.ts:3:1: /,
  },
  {
    name: "a throwing top level",
    files: {
      "hello/index.ts": 'const x: any = undefined;\n\nx.y;\nexport default { fetch: () => new Response("") };\n',
    },
    code: "ERR_LOAD",
    says: /hello\/index\.ts:3:/,
  },
  {
    name: "an endless loop at the top level",
    files: { "hello/index.ts": 'for (;;) {}\nexport default { fetch: () => new Response("") };\n' },
    code: "ERR_LOAD",
    says: /did not finish/,
  },
  {
    name: "a memory bomb at the top level",
    files: {
      "hello/index.ts":
        'const a: unknown[] = [];\nfor (;;) a.push(new Array(1e6).fill(a.length));\nexport default { fetch: () => new Response("") };\n',
    },
    code: "ERR_LOAD",
    says: /used more than/,
  },
  {
    name: "a missing import",
    files: { "hello/index.ts": 'import "./nope.js";\nexport default { fetch: () => new Response("") };\n' },
    code: "ERR_BUNDLE",
    says: /hello\/index\.ts:1:.*nope/,
  },
  {
    name: "a broken wrangler file",
    files: { "hello/wrangler.toml": 'name = "hello"\nmain = \n' },
    code: "ERR_MANIFEST",
    says: /hello\/wrangler\.toml:2:/,
  },
  {
    name: "a health path that answers 500",
    files: {
      "hello/wrangler.toml":
        'name = "hello"\nmain = "index.ts"\ncompatibility_date = "2026-11-01"\n[wrkst]\nhealth = "/healthz"\n',
      "hello/index.ts": 'export default { fetch: () => new Response("ill", { status: 500 }) };\n',
    },
    code: "ERR_HEALTH",
    says: /health path "\/healthz"/,
  },
  {
    name: "an unsupported binding",
    files: {
      "hello/wrangler.toml":
        'name = "hello"\nmain = "index.ts"\ncompatibility_date = "2026-11-01"\n[[kv_namespaces]]\nbinding = "KV"\nid = "x"\n',
    },
    code: "ERR_BINDING_UNSUPPORTED",
    says: /hello\/wrangler\.toml:4:.*kv_namespaces/,
  },
];

for (const { name, files, code, says } of broken) {
  test(`${name} is said in the push and in status, the old version keeps serving, the next push mends it`, async () => {
    await repository.commit({ ...files, ...functionFiles("bystander", name) });
    const pushed = await repository.push(agent);
    assert.match(pushed.output, says);
    assert.equal(await served("hello"), "two");
    assert.equal(await served("bystander"), name);
    const status = await agent.functionStatus("hello");
    assert.deepEqual([status.state, status.error?.code], ["failed", code]);
    await repository.commit(functionFiles("hello", "two"));
    assert.ok((await repository.push(agent)).ok);
    assert.equal((await agent.functionStatus("hello")).state, "ready");
  });
}

test("a revert serves the old version again without a build", async () => {
  const before = (await agent.functionStatus("hello")).version;
  await repository.commit(functionFiles("hello", "three"));
  await repository.push(agent);
  assert.equal(await served("hello"), "three");
  await repository.git("revert", "--no-edit", "HEAD");
  assert.match((await repository.push(agent)).output, /updated\s+hello/);
  assert.equal(await served("hello"), "two");
  assert.equal((await agent.functionStatus("hello")).version, before);
});

test("a shared file changes exactly its importers", async () => {
  const importer = (name: string) => ({
    ...functionFiles(name, ""),
    [`${name}/index.ts`]:
      'import { text } from "../shared/text.js";\nexport default { fetch: () => new Response(text) };\n',
  });
  await repository.commit({
    ...importer("first"),
    ...importer("second"),
    "shared/text.ts": 'export const text = "a";\n',
  });
  assert.match((await repository.push(agent)).output, /2 created/);
  await repository.commit({ "shared/text.ts": 'export const text = "b";\n' });
  assert.match((await repository.push(agent)).output, /2 updated, 3 unchanged/);
  assert.deepEqual([await served("first"), await served("second")], ["b", "b"]);
  assert.equal(await served("other"), "3");
});

test("a removed folder is 404 and can be restored, a renamed function moves", async () => {
  await repository.commit({
    second: null,
    "first/wrangler.toml": functionFiles("renamed", "")["renamed/wrangler.toml"]!,
  });
  const pushed = await repository.push(agent);
  assert.match(pushed.output, /removed\s+second/);
  assert.deepEqual(
    [(await agent.request("second")).status, (await agent.request("first")).status, await served("renamed")],
    [404, 404, "b"],
  );
  await agent.api("/api/v1/functions/second/restore", { method: "POST" });
  assert.equal(await served("second"), "b");
});

test("every commit and version can be asked by its host", async () => {
  const commit = await repository.git("rev-parse", "HEAD");
  const { version } = await agent.functionStatus("renamed");
  assert.equal(await served(`${commit.slice(0, 7)}.renamed.localhost`), "b");
  assert.equal(await served(`${version!.slice(0, 8)}--renamed.localhost`), "b");
  assert.equal((await agent.request("0123456.renamed.localhost")).status, 404);
});

test("a mass removal waits for a person's word", async () => {
  const everything = ["hello", "other", "bystander", "first"];
  await repository.commit(Object.fromEntries(everything.map((folder) => [folder, null])));
  assert.match((await repository.push(agent)).output, /nothing switched/);
  assert.equal(await served("hello"), "two");
  await agent.api("/api/v1/sources/default/sync?wait=true&prune=true", { method: "POST" });
  assert.equal((await agent.request("hello")).status, 404);
});
