// The first start, as a stranger sees it: examples that answer, lines that say how to go on, and the command that shows it.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Status } from "../agent/model.js";
import { createRepository, functionFiles, startAgent, type TestAgent, until } from "./harness.js";

const run = promisify(execFile);
const CLI = fileURLToPath(new URL("../../cli/dist/wrkst.cjs", import.meta.url));
const EXAMPLES = ["assets-text", "env", "guestbook", "hello", "hono", "modules", "stream", "wasm", "websocket"];

let agent: TestAgent;
let dataDir: string;

before(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "wrkst-start-"));
  agent = await startAgent({ dataDir, seed: true, env: { LOG_FORMAT: "pretty" } });
});
after(async () => {
  await agent?.stop();
  await rm(dataDir, { recursive: true, force: true });
});

async function wrkst(...args: string[]): Promise<string> {
  const env = { PATH: process.env.PATH, HOME: agent.dataDir, WRKST_TOKEN: await agent.token() };
  const { stdout } = await run(process.execPath, [CLI, ...args, "--url", `http://localhost:${agent.port}`], { env });
  return stdout;
}

test("every example of the first commit serves", async () => {
  const { functions, sources } = await agent.status();
  assert.deepEqual(
    functions.map(({ name, state, error }) => [name, state, error]),
    EXAMPLES.map((name) => [name, "ready", undefined]),
  );
  assert.equal(sources[0]?.state, "ready");
  for (const name of EXAMPLES) {
    const { status, text } = await agent.request(name);
    assert.ok(status === 200 || (name === "websocket" && status === 426), `${name}: ${status} ${text}`);
  }
});

test("the guest book keeps what is written into its form, whatever it is, and answers with a redirect", async () => {
  const write = (fields: Record<string, string>) => {
    const headers = { "content-type": "application/x-www-form-urlencoded" };
    const body = new URLSearchParams(fields).toString();
    return agent.request("guestbook", "/", {
      method: "POST",
      headers: { ...headers, "content-length": `${body.length}` },
      body,
    });
  };
  assert.match((await agent.request("guestbook")).text, /Nobody has written yet/);
  const written = await write({ name: `Robert"); DROP TABLE entries;--`, message: "<script>alert(1)</script>\r\n👋" });
  assert.deepEqual([written.status, written.headers.location], [303, "/"]);
  const { text } = await agent.request("guestbook");
  assert.match(text, /&lt;script&gt;alert\(1\)&lt;\/script&gt;\n👋/);
  assert.match(text, /Robert&quot;\); DROP TABLE entries;--/);
  const refused = await write({ name: "Ada", message: `${"x".repeat(500)}&` });
  assert.equal(refused.status, 422);
  assert.match(refused.text, /x{500}&amp;<\/textarea>/);
  assert.equal((await write({ name: "Ada", message: "x".repeat(20_000) })).status, 413);
  assert.equal((await agent.request("guestbook", "/", { method: "DELETE" })).status, 405);
});

test("the start tells the address, how to push and where the token lies, and not the token", async () => {
  await until("the start has told", () => agent.output().includes("git push"));
  const output = agent.output();
  assert.match(output, new RegExp(`serves at http://localhost:${agent.port}`));
  assert.match(output, new RegExp(`http://hello\\.localhost:${agent.port}`));
  assert.match(output, new RegExp(`git remote add wrkst http://localhost:${agent.port}/git/functions\\.git`));
  assert.match(output, /secrets\/admin-token/);
  assert.equal(output.includes(await agent.token()), false);
});

test("wrkst status shows a row for each function, and --json the status of the API", async () => {
  const table = await wrkst("status");
  for (const name of EXAMPLES) assert.match(table, new RegExp(`\\b${name}\\b.*ready`));
  const status = JSON.parse(await wrkst("status", "--json")) as Status;
  assert.deepEqual(status.functions, (await agent.status()).functions);
});

test("away from a terminal every line of the log is JSON, and a second start does not fill the repository again", async () => {
  await agent.stop();
  agent = await startAgent({ dataDir, seed: true });
  await until("the start has told", () => agent.output().includes('"msg":"serving"'));
  for (const line of agent.output().trim().split("\n")) assert.equal(typeof JSON.parse(line).level, "string", line);
  const commits = await run("git", ["-C", join(dataDir, "git/functions.git"), "rev-list", "--count", "main"]);
  assert.equal(commits.stdout.trim(), "1");
  assert.equal((await agent.request("hono")).status, 200);
});

test("a repository of one's own replaces the examples at once, and what is one's own is not removed in bulk", async () => {
  const repository = await createRepository();
  try {
    await repository.commit(functionFiles("mine", "my own"));
    const first = await repository.push(agent, "--force", "HEAD:main");
    assert.match(first.output, /created\s+mine/);
    assert.equal((await agent.request("mine")).text, "my own");
    assert.equal((await agent.request("hello")).status, 404);
    assert.match(await wrkst("restore", "hello"), /^hello: ready/);
    assert.equal((await agent.request("hello")).status, 200);
    const more = ["a1", "b2", "c3", "d4", "e5"];
    await repository.commit(Object.assign({}, ...more.map((name) => functionFiles(name, name))));
    await repository.push(agent);
    await repository.commit(Object.fromEntries(more.map((name) => [name, null])));
    const held = await repository.push(agent);
    assert.match(held.output, /wrkst sync --prune --wait/);
    assert.equal((await agent.request("e5")).text, "e5");
    assert.match(await wrkst("sync", "--prune", "--wait"), /removed e5/);
    assert.deepEqual((await agent.status()).functions.map(({ name }) => name).sort(), ["hello", "mine"]);
  } finally {
    await repository.remove();
  }
});
