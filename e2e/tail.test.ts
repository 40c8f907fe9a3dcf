import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, type TestContext, test } from "node:test";
import { WRANGLER } from "../agent/bundle/test-wrangler.js";
import type { KeptLog } from "../agent/model.js";
import { createRepository, startAgent, type TestAgent, type TestRepository, until } from "./harness.js";

/** What comes before `greet` must not move: its place is asked for. */
const TALKER = `interface Person {
  name: string;
}
function greet(person: Person): string {
  if (person.name === "nobody") throw new TypeError("there is nobody");
  return "hello " + person.name;
}
export default {
  async fetch(request: Request): Promise<Response> {
    const name = new URL(request.url).pathname.slice(1);
    console.log("greeting", { name });
    if (name === "loud") for (let i = 0; i < 60; i++) console.log("x".repeat(10_000));
    if (name === "strange") {
      const circle: Record<string, unknown> = {};
      circle.self = circle;
      console.log({ get broken() { throw new Error("a getter"); } }, circle, Symbol("s"), 10n, () => 1);
      console.log(new Proxy({}, { get() { throw 1; }, ownKeys() { throw 2; } }));
      throw { toString() { throw 3; }, get stack() { throw 4; } };
    }
    if (name === "slow") await new Promise((resolve) => setTimeout(resolve, 50));
    return new Response(greet({ name }));
  },
};
`;

const functionFiles = (name: string, more = ""): Record<string, string> => ({
  [`${name}/wrangler.toml`]: `name = "${name}"\nmain = "index.ts"\ncompatibility_date = "2026-11-01"\n${more}`,
  [`${name}/index.ts`]: TALKER,
});

let agent: TestAgent;
let repository: TestRepository;
let home: string;

before(async () => {
  home = await mkdtemp(join(tmpdir(), "wrkst-wrangler-"));
  agent = await startAgent();
  repository = await createRepository();
  const observed = functionFiles("observed", "[observability]\nenabled = true\n");
  await repository.commit({ ...functionFiles("talker"), ...observed });
  const pushed = await repository.push(agent);
  assert.ok(pushed.ok, pushed.output);
});
after(async () => {
  await agent.stop();
  await repository.remove();
  await rm(home, { recursive: true, force: true });
});

interface Seen {
  outcome: string;
  /** A notice that events were lost has no request. */
  event: { request?: { url: string }; response?: { status: number } };
  logs: { level: string; message: unknown[] }[];
  exceptions: { name: string; message: string; stack: string; position: object }[];
}

interface Tailing {
  child: ChildProcess;
  output(): string;
  /** With `--format json`: what was printed so far, each event one value. */
  seen(): Seen[];
  stop(): Promise<number | null>;
}

const tails = async () =>
  (await agent.api<{ result: { id: string }[] }>("/client/v4/accounts/main/workers/scripts/talker/tails")).result;

/** Runs `wrangler tail talker` until it is connected. */
async function tail(t: TestContext, ...flags: string[]): Promise<Tailing> {
  const known = new Set((await tails()).map(({ id }) => id));
  const child = spawn(process.execPath, [...WRANGLER, "tail", "talker", ...flags], {
    cwd: home,
    env: {
      PATH: process.env.PATH,
      HOME: home,
      NO_COLOR: "1",
      CLOUDFLARE_API_BASE_URL: `http://localhost:${agent.port}/client/v4`,
      CLOUDFLARE_API_TOKEN: await agent.token(),
      CLOUDFLARE_ACCOUNT_ID: "main",
      WRANGLER_SEND_METRICS: "false",
    },
  });
  let text = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (text += chunk));
  const exited = once(child, "exit");
  const stop = async () => {
    if (child.exitCode === null) child.kill("SIGINT");
    return ((await exited) as [number | null])[0];
  };
  t.after(stop);
  const isConnected = () => /Connected to talker/.test(text);
  await until("wrangler has made its tail", async () => (await tails()).some(({ id }) => !known.has(id)));
  if (!flags.includes("json")) await until(`wrangler is connected: ${text}`, isConnected);
  return { child, output: () => text, seen: () => parseValues(text), stop };
}

/** JSON values, one after the other, each printed over many lines. */
function parseValues(text: string): Seen[] {
  return text
    .split(/^(?=\{$)/m)
    .filter((part) => /^\}$/m.test(part))
    .map((part) => JSON.parse(part.slice(0, part.search(/^\}$/m) + 1)) as Seen);
}

const ask = (path: string, options = {}) => agent.request("talker", path, options);
const urls = (tailing: Tailing) =>
  tailing.seen().flatMap(({ event: { request } }) => (request ? [new URL(request.url).pathname] : []));

/** The socket of a tail opens a moment after the tail is made: asks until something is heard. */
async function heard(tailing: Tailing, path: string, options = {}): Promise<void> {
  await until(`${path} is heard: ${tailing.output()}`, async () => {
    await ask(path, options);
    return urls(tailing).includes(path);
  });
}

test("wrangler tail tells requests, logs and exceptions with places in the sources", async (t) => {
  const tailing = await tail(t, "--format", "json");
  await heard(tailing, "/ann", { headers: { authorization: "Bearer hush", cookie: "a=hush" } });
  await ask("/nobody");
  await until("the exception", () => tailing.seen().some(({ outcome }) => outcome === "exception"));
  const fine = tailing.seen().find(({ outcome }) => outcome === "ok");
  assert.deepEqual(fine?.logs[0]?.message, ["greeting", { name: "ann" }]);
  assert.deepEqual(fine?.event.response, { status: 200 });
  const failed = tailing.seen().find(({ outcome }) => outcome === "exception");
  assert.deepEqual([failed?.exceptions[0]?.name, failed?.exceptions[0]?.message], ["TypeError", "there is nobody"]);
  assert.match(failed?.exceptions[0]?.stack ?? "", /at greet \(talker\/index\.ts:5:\d+\)/);
  assert.doesNotMatch(failed?.exceptions[0]?.stack ?? "", /__wrkst/);
  assert.doesNotMatch(tailing.output(), /hush/);
  assert.equal(await tailing.stop(), 0);
  await until("the tail is gone", async () => (await tails()).length === 0);
});

test("wrangler tail prints them for people", async (t) => {
  const tailing = await tail(t, "--format", "pretty");
  await ask("/ben");
  await ask("/nobody");
  await until("both are printed", () => /there is nobody/.test(tailing.output()));
  assert.match(tailing.output(), /GET http:\/\/talker\.localhost\/ben - Ok @/);
  assert.match(tailing.output(), /\(log\) greeting \{ name: 'ben' \}/);
  assert.match(tailing.output(), /talker\/index\.ts:5:/);
});

test("the filters of wrangler tail hold", async (t) => {
  const table: { flags: string[]; held: [string, object?][]; through: [string, object?] }[] = [
    { flags: ["--status", "error"], held: [["/ok"]], through: ["/nobody"] },
    { flags: ["--method", "POST"], held: [["/get"]], through: ["/post", { method: "POST" }] },
    { flags: ["--search", "plum"], held: [["/pear"]], through: ["/plum"] },
    {
      flags: ["--header", "x-fruit:plum"],
      held: [["/none"], ["/other", { headers: { "x-fruit": "pear" } }]],
      through: ["/same", { headers: { "x-fruit": "plum" } }],
    },
    { flags: ["--ip", "self"], held: [], through: ["/self"] },
  ];
  await Promise.all(
    table.map(async ({ flags, held, through: [path, options] }) => {
      const tailing = await tail(t, "--format", "json", ...flags);
      for (const [other, with_] of held) await ask(other, with_);
      await heard(tailing, path, options);
      for (const [other, with_] of held) await ask(other, with_);
      await heard(tailing, path, options);
      for (const [other] of held) assert.ok(!urls(tailing).includes(other), `${flags.join(" ")} lets ${other} through`);
      await tailing.stop();
    }),
  );
});

test("a sample is a part of the whole", async (t) => {
  const all = await tail(t, "--format", "json");
  const some = await tail(t, "--format", "json", "--sampling-rate", "0.2");
  await heard(all, "/begin");
  await heard(some, "/sampled");
  const before = { all: all.seen().length, some: some.seen().length };
  for (let i = 0; i < 100; i++) await ask("/counted");
  await until("all are heard", () => urls(all).filter((path) => path === "/counted").length === 100);
  const sampled = some.seen().length - before.some;
  assert.ok(sampled > 0 && sampled < 60, `${sampled} of 100`);
});

test("hostile output harms neither the listener nor anybody else", async (t) => {
  const tailing = await tail(t, "--format", "json");
  await heard(tailing, "/calm");
  await Promise.all(Array.from({ length: 10 }, () => ask("/loud")));
  assert.equal((await ask("/strange")).status, 502);
  await heard(tailing, "/strange");
  await heard(tailing, "/calm-again");
  assert.equal((await agent.status()).runtime.restarts, 0);
});

test("a tail survives a restart of the runtime, and a new one works after it", async (t) => {
  const tailing = await tail(t, "--format", "json");
  await heard(tailing, "/before");
  const { pid } = (await agent.status()).runtime;
  assert.ok(pid);
  process.kill(pid, "SIGKILL");
  await once(tailing.child, "exit");
  await until("the runtime is back", async () => (await ask("/x").catch(() => undefined))?.status === 200);
  const again = await tail(t, "--format", "json");
  await heard(again, "/after");
});

test("fails none of 100 requests in flight while tails come and go", async () => {
  let isOver = false;
  const statuses = new Set<number>();
  let answers = 0;
  const client = async () => {
    while (!isOver) {
      statuses.add((await ask("/slow")).status);
      answers++;
    }
  };
  const clients = Array.from({ length: 100 }, client);
  for (let turn = 0; turn < 2; turn++) {
    const path = "/client/v4/accounts/main/workers/scripts/talker/tails";
    const { result } = await agent.api<{ result: { id: string } }>(path, { method: "POST", body: "{}" });
    const now = answers;
    await until("answers while tailed", () => answers > now + 100);
    await agent.api(`${path}/${result.id}`, { method: "DELETE" });
    const then = answers;
    await until("answers while not", () => answers > then + 100);
  }
  isOver = true;
  await Promise.all(clients);
  assert.deepEqual([...statuses], [200]);
});

const logsOf = (name: string, query = "") => agent.api<{ logs: KeptLog[] }>(`/api/v1/functions/${name}/logs${query}`);

test("B5 keeps exceptions of every function, and tells the caller of the function an id only", async () => {
  const answer = await ask("/nobody", { headers: { accept: "application/json" } });
  assert.equal(answer.status, 502);
  assert.doesNotMatch(answer.text, /there is nobody/);
  const { requestId } = (JSON.parse(answer.text) as { error: { requestId: string } }).error;
  let found: KeptLog | undefined;
  await until("the exception is kept", async () => {
    found = (await logsOf("talker", "?limit=1000")).logs.find(({ request }) => request === requestId);
    return found !== undefined;
  });
  assert.equal(found?.message, "TypeError: there is nobody");
  assert.deepEqual([found?.position?.file, found?.position?.line], ["talker/index.ts", 5]);
  assert.deepEqual([found?.method, found?.path], ["GET", "/nobody"]);
  for (const path of ["logs", "tail"]) {
    assert.equal((await agent.request("localhost", `/api/v1/functions/talker/${path}`)).status, 401);
    assert.notEqual((await agent.request("talker", `/api/v1/functions/talker/${path}`)).status, 401);
  }
});

test("keeps what a function says while it is observed, and that of no other", async () => {
  await until("the log is kept", async () => {
    await agent.request("observed", "/kept");
    await ask("/unkept");
    return (await logsOf("observed")).logs.some(({ message }) => message === "greeting { name: 'kept' }");
  });
  const said = (await logsOf("talker", "?kind=log")).logs;
  assert.deepEqual(said, []);
});

test("exceptions are there after a restart of the agent", async () => {
  const own = await startAgent({ dataDir: await mkdtemp(join(tmpdir(), "wrkst-e2e-")) });
  const kept = async (of: TestAgent) =>
    (await of.api<{ logs: KeptLog[] }>("/api/v1/functions/talker/logs")).logs.map(({ message }) => message);
  try {
    await repository.push(own);
    await own.request("talker", "/nobody");
    await until("the exception is kept", async () => (await kept(own)).length === 1);
  } finally {
    await own.kill();
  }
  const next = await startAgent({ dataDir: own.dataDir, seed: true });
  try {
    assert.deepEqual(await kept(next), ["TypeError: there is nobody"]);
  } finally {
    await next.stop();
    await rm(own.dataDir, { recursive: true, force: true });
  }
});
