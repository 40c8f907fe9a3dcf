// The command against a real agent: what a person does by hand, from the first deploy to the end of a function.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { FunctionStatus, PassReport, Status } from "../agent/model.js";
import { type Cli, createCli } from "./cli.js";
import { createRepository, functionFiles, startAgent, type TestAgent, type TestRepository } from "./harness.js";

let agent: TestAgent;
let cli: Cli;
let repository: TestRepository;

before(async () => {
  [agent, repository] = await Promise.all([startAgent(), createRepository()]);
  cli = await createCli({ WRKST_URL: `http://localhost:${agent.port}`, WRKST_TOKEN: await agent.token() });
  await repository.commit(functionFiles("pushed", "from git"));
  assert.ok((await repository.push(agent)).ok);
});
after(async () => {
  await agent?.stop();
  await Promise.all([cli?.remove(), repository?.remove()]);
});

interface Deployed {
  version: string;
  size: number;
  url: string;
}

const textOf = async (host: string) => (await agent.request(host)).text;

async function deploy(name: string, text: string, ...more: string[]): Promise<Deployed> {
  await cli.write(functionFiles(name, text));
  return cli.json<Deployed>(["deploy", name, ...more]);
}

test("deploys a folder, and deploys it again", async () => {
  const first = await deploy("shop", "one");
  assert.equal(first.url, `http://shop.localhost:${agent.port}`);
  assert.ok(first.size > 0);
  assert.equal(await textOf("shop"), "one");
  const second = await deploy("shop", "two", "--message", "Second", "--tag", "v2");
  assert.notEqual(second.version, first.version);
  assert.equal(await textOf("shop"), "two");
  const [newest] = await cli.json<{ id: string; annotations: Record<string, string> }[]>([
    ...["versions", "list", "--name", "shop"],
  ]);
  assert.deepEqual([newest?.id, newest?.annotations["workers/tag"]], [second.version, "v2"]);
});

test("a deploy that does not build or does not load says where, and what served goes on", async () => {
  await deploy("mended", "good");
  await cli.write({ "mended/index.ts": "export default {\n  fetch() { return 1 + ; },\n};\n" });
  const unbuilt = await cli.run(["deploy", "mended"]);
  assert.equal(unbuilt.code, 1);
  assert.match(unbuilt.err, / index\.ts:2:24: /);
  await cli.write({
    "mended/index.ts": 'const a: number = 1;\nif (a) throw new Error("at the top");\nexport default {};\n',
  });
  const unloaded = await cli.run(["deploy", "mended"]);
  assert.equal(unloaded.code, 1);
  assert.match(unloaded.err, / index\.ts:2:\d+: .*at the top/);
  assert.equal(await textOf("mended"), "good");
});

test("divides the traffic, and rolls back", async () => {
  const [one, two] = [await deploy("split", "one"), await deploy("split", "two")];
  await cli.json(["versions", "deploy", `${one.version}@25`, two.version, "--name", "split"]);
  const current = await cli.json<{ versions: { version_id: string; percentage: number }[] }>([
    ...["deployments", "status", "--name", "split"],
  ]);
  assert.deepEqual(
    current.versions.map(({ version_id, percentage }) => [version_id, percentage]).sort((a, b) => +a[1]! - +b[1]!),
    [
      [one.version, 25],
      [two.version, 75],
    ],
  );
  assert.equal((await cli.json<FunctionStatus>(["status", "split"])).state, "gradual");
  await cli.json(["rollback", one.version.slice(0, 8), "--name", "split", "--reason", "two is wrong"]);
  assert.equal(await textOf("split"), "one");
});

test("an alias leads to its version until it is deleted", async () => {
  const [one] = [await deploy("named", "one"), await deploy("named", "two")];
  await cli.json(["alias", "set", "old", one.version, "--name", "named"]);
  assert.equal(await textOf("old--named"), "one");
  const tried = await deploy("named", "three", "--alias", "next");
  assert.equal(tried.url, `http://next--named.localhost:${agent.port}`);
  assert.deepEqual([await textOf("next--named"), await textOf("named")], ["three", "two"]);
  assert.equal((await cli.run(["alias", "delete", "old", "--name", "named"])).code, 0);
  assert.equal((await agent.request("old--named")).status, 404);
});

test("what git declares is moved by force only, which pins it, and follows git again when it is unpinned", async () => {
  await cli.write(functionFiles("pushed", "by hand"));
  const refused = await cli.run(["deploy", "pushed"]);
  assert.equal(refused.code, 1);
  assert.match(refused.err, /default[\s\S]*hint: .*force/);
  assert.equal(await textOf("pushed"), "from git");
  await cli.json(["deploy", "pushed", "--force"]);
  assert.equal(await textOf("pushed"), "by hand");
  await repository.commit(functionFiles("pushed", "newer"));
  assert.ok((await repository.push(agent)).ok);
  assert.equal(await textOf("pushed"), "by hand");
  const why = await cli.json<{ state: string; rule: string }>(["why", "pushed"]);
  assert.equal(why.state, "pinned");
  assert.equal((await cli.run(["unpin", "--name", "pushed"])).code, 0);
  assert.equal(await textOf("pushed"), "newer");
});

test("a pin survives a push", async () => {
  await repository.commit(functionFiles("held", "one"));
  await repository.push(agent);
  await cli.json(["pin", "--name", "held", "--reason", "fair this week", "--expires", "7d"]);
  await repository.commit(functionFiles("held", "two"));
  await repository.push(agent);
  assert.equal(await textOf("held"), "one");
  assert.equal((await cli.run(["status", "held", "--check"])).code, 1);
  assert.equal((await cli.run(["unpin", "held"])).code, 0);
  assert.equal(await textOf("held"), "two");
});

test("a secret comes from stdin, reaches the function, and is nowhere else [B8]", async () => {
  const canary = "canary-5b1f0c";
  const code = "export default { fetch: (_: Request, env: { KEY: string }) => new Response(env.KEY) };\n";
  await cli.write({ ...functionFiles("vault", ""), "vault/index.ts": code });
  await cli.json(["deploy", "vault"]);
  const put = await cli.run(["secret", "put", "KEY", "--name", "vault"], { input: `${canary}\n` });
  assert.equal(put.code, 0);
  assert.equal(await textOf("vault"), canary);
  const bulk = await cli.run(["secret", "bulk", "--name", "vault"], { input: '{"OTHER":"1"}' });
  assert.deepEqual(await cli.json(["secret", "list", "--name", "vault"]), [
    { name: "KEY", type: "secret_text" },
    { name: "OTHER", type: "secret_text" },
  ]);
  assert.equal((await cli.run(["secret", "delete", "OTHER", "--name", "vault"])).code, 0);
  assert.equal((await cli.run(["deploy", "vault"])).code, 0);
  assert.equal(await textOf("vault"), canary);
  for (const text of [put.out, put.err, bulk.err, agent.output()]) assert.ok(!text.includes(canary));
});

test("a token does what its scopes say until it is revoked", async () => {
  const made = await cli.json<{ id: string; token: string }>(["tokens", "create", "ci", "--expires", "1d"]);
  const ci = { env: { WRKST_TOKEN: made.token } };
  await cli.write(functionFiles("by-ci", "ci"));
  assert.equal((await cli.run(["deploy", "by-ci"], ci)).code, 0);
  assert.equal((await cli.run(["users", "list"], ci)).code, 1);
  assert.equal((await cli.run(["tokens", "revoke", made.id])).code, 0);
  const late = await cli.run(["deploy", "by-ci"], ci);
  assert.equal(late.code, 1);
  assert.match(late.err, /hint: .*wrkst login/);
});

test("sync says the old and the new commit", async () => {
  const report = await cli.json<PassReport>(["sync", "--wait"]);
  assert.equal(report.source, "default");
  assert.match(report.to ?? "", /^main@sha1:[0-9a-f]{40}$/);
  assert.equal((await cli.run(["sync", "nowhere", "--wait"])).code, 1);
});

test("tail shows requests and what was said, until Ctrl-C", async () => {
  const code = 'export default { fetch() { console.log("said", { a: 1 }); throw new TypeError("no name"); } };\n';
  await cli.write({ ...functionFiles("loud", ""), "loud/index.ts": code });
  await cli.json(["deploy", "loud"]);
  const tail = cli.start(["tail", "loud"]);
  await tail.said(/listening/);
  await agent.request("loud", "/path");
  await tail.said(/GET .*\/path/);
  await tail.said(/log: said { a: 1 }/);
  await tail.said(/ index\.ts:1:\d+: TypeError: no name/);
  tail.interrupt();
  assert.equal((await tail.ended()).code, 0);
  const { logs } = await cli.json<{ logs: { kind: string }[] }>(["logs", "loud"]);
  assert.equal(logs[0]?.kind, "exception");
});

test("deletes a function when it is told to", async () => {
  await deploy("gone", "here");
  assert.equal((await cli.run(["delete", "gone"])).code, 1);
  assert.equal(await textOf("gone"), "here");
  assert.equal((await cli.run(["delete", "gone", "--yes"])).code, 0);
  assert.equal((await agent.request("gone")).status, 404);
  const { functions } = await cli.json<Status>(["status"]);
  assert.ok(!functions.some(({ name, state }) => name === "gone" && state !== "removed"));
});

test("applies what the wrangler file says of hosts", async () => {
  const files = functionFiles("hosted", "at home");
  const routes = 'routes = [{ pattern = "hosted.example.com", custom_domain = true }]\nworkers_dev = false\n';
  await cli.write({ ...files, "hosted/wrangler.toml": `${files["hosted/wrangler.toml"]}${routes}` });
  const { url } = await cli.json<Deployed>(["deploy", "hosted"]);
  assert.equal(url, `http://hosted.example.com:${agent.port}`);
  assert.equal((await agent.request("hosted.example.com")).text, "at home");
  assert.equal((await agent.request("hosted")).status, 404);
});

test("every template deploys as it is", async () => {
  for (const template of ["function", "javascript", "websocket"]) {
    assert.equal((await cli.run(["init", `new-${template}`, "--template", template])).code, 0);
    assert.equal((await cli.run(["deploy", `new-${template}`])).code, 0, template);
  }
  assert.equal(await textOf("new-function"), "Hello, world!\n");
  assert.equal(await textOf("new-javascript"), "Hello, world!\n");
  assert.equal((await agent.request("new-websocket")).status, 426);
});
