// What functions may reach (SECURITY.md B6): by default the public internet, never the machine and its networks.
import assert from "node:assert/strict";
import { once } from "node:events";
import { access, mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from "node:http";
import { type AddressInfo, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { createRepository, freePort, startAgent, type TestAgent, type TestRepository } from "./harness.js";
import { findPostgres, type Postgres, startPostgres } from "./postgres.js";
import { deploy, functionOf } from "./traffic.js";

/** Tries what the URL asks for and tells how it ended. An attempt that hangs was not refused. */
const PROBE = `import { connect } from "cloudflare:sockets";
const opened = (socket) => new Promise((resolve, reject) => {
  socket.addEventListener("open", () => resolve("open"));
  socket.addEventListener("error", reject);
  socket.addEventListener("close", reject);
});
async function attempt({ url, host, socket, webSocket }) {
  if (webSocket) return await opened(new WebSocket(webSocket));
  if (url) return await (await fetch(url, { headers: host ? { host } : {} })).text();
  const opened = connect(socket);
  await opened.opened;
  const { value } = await opened.readable.getReader().read();
  return new TextDecoder().decode(value);
}
export default {
  async fetch(request) {
    const limit = scheduler.wait(60_000).then(() => ({ hung: true }));
    const tried = attempt(await request.json()).then((text) => ({ text }), (error) => ({ error: String(error) }));
    return Response.json(await Promise.race([tried, limit]));
  },
};
`;
const NO_EGRESS = '[wrkst]\negress = "none"\n';

interface Attempt {
  url?: string;
  /** Host header of the request to `url`. */
  host?: string;
  /** Address for `connect()`. */
  socket?: string;
  /** URL for `new WebSocket()`. */
  webSocket?: string;
}

let agent: TestAgent;
let repository: TestRepository;
let dataDir: string;
let adminPort: number;
let web: Server;
let greeter: Server;
let connections = 0;

before(async () => {
  [web, greeter] = await Promise.all([
    listen(createHttpServer(answer)),
    listen(createServer((socket) => socket.end("private greeting"))),
  ]);
  for (const server of [web, greeter]) server.on("connection", () => connections++);
  dataDir = await mkdtemp(join(tmpdir(), "wrkst-egress-"));
  adminPort = await freePort();
  [agent, repository] = await Promise.all([start({}), createRepository()]);
  await deploy(agent, repository, {
    ...functionOf("orders", PROBE),
    ...functionOf("stranger", PROBE),
    ...functionOf("hermit", PROBE, NO_EGRESS),
  });
});
after(async () => {
  await Promise.all([agent?.stop(), repository?.remove()]);
  await rm(dataDir, { recursive: true, force: true });
  web?.close();
  greeter?.close();
});

/** The page, or the way to another address. */
function answer(request: IncomingMessage, response: ServerResponse): void {
  const to = new URL(request.url ?? "/", "http://web").searchParams.get("to");
  if (to) response.writeHead(302, { location: to });
  response.end("private page");
}

const start = (env: Record<string, string>) =>
  startAgent({ dataDir, env: { ADMIN_LISTEN: `127.0.0.1:${adminPort}`, ...env } });

async function restart(env: Record<string, string>): Promise<void> {
  await agent.stop();
  agent = await start(env);
}

async function listen<S extends Server>(server: S): Promise<S> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}

const portOf = (server: Server) => (server.address() as AddressInfo).port;
const page = (): Attempt => ({ url: `http://127.0.0.1:${portOf(web)}/` });
const greeting = (): Attempt => ({ socket: `127.0.0.1:${portOf(greeter)}` });

/** What the function got, or "refused". */
async function reach(host: string, attempt: Attempt): Promise<string> {
  const answer = await agent.request(host, "/", { method: "POST", body: JSON.stringify(attempt) });
  assert.equal(answer.status, 200, answer.text);
  const result: { text?: string; error?: string; hung?: true } = JSON.parse(answer.text);
  return result.hung ? "hung" : (result.text ?? "refused");
}

const addresses = [
  "127.0.0.1",
  "127.1.2.3",
  "localhost",
  "hello.localhost",
  "0.0.0.0",
  "2130706433",
  "[::1]",
  "[::]",
  "[::ffff:127.0.0.1]",
  "[64:ff9b::127.0.0.1]",
  "[2002:7f00:1::]",
  "10.0.0.1",
  "172.16.0.1",
  "192.168.0.1",
  "100.64.0.1",
  "169.254.169.254",
  "[fd00::1]",
  "[fe80::1]",
];

for (const address of addresses) {
  test(`${address} is refused by default, by fetch, connect and WebSocket (B6)`, async () => {
    const before = connections;
    assert.equal(await reach("stranger", { url: `http://${address}:${portOf(web)}/` }), "refused");
    assert.equal(await reach("stranger", { socket: `${address}:${portOf(greeter)}` }), "refused");
    assert.equal(await reach("stranger", { webSocket: `ws://${address}:${portOf(web)}/` }), "refused");
    assert.equal(connections, before);
  });
}

test("a function reaches neither the platform's port, nor its API, nor its sockets (B6)", async () => {
  for (const host of ["localhost", "orders.localhost", "127.0.0.1"]) {
    assert.equal(await reach("stranger", { url: `http://127.0.0.1:${agent.port}/healthz`, host }), "refused");
    assert.equal(await reach("stranger", { url: `http://localhost:${agent.port}/healthz`, host }), "refused");
  }
  assert.equal(await reach("stranger", { url: `http://127.0.0.1:${adminPort}/healthz` }), "refused");
  assert.equal(await reach("stranger", { socket: `127.0.0.1:${agent.port}` }), "refused");
  await assertSocketsUnreachable("stranger");
});

/** However the path of a unix socket is written, it is no address for a function. */
async function assertSocketsUnreachable(name: string): Promise<void> {
  for (const socket of ["agent.sock", "control.sock"]) {
    const path = join(dataDir, "run", socket);
    await access(path);
    for (const address of [`unix:${path}`, `unix:${path}:80`, path, `unix-abstract:${path}`]) {
      assert.equal(await reach(name, { socket: address }), "refused", address);
    }
    for (const url of [`unix:${path}`, `http+unix://${encodeURIComponent(path)}/state`, `http://unix:${path}/state`]) {
      assert.equal(await reach(name, { url }), "refused", url);
    }
  }
}

test("a private network is for the functions that EGRESS_PRIVATE names, and for no one else", async () => {
  await restart({ EGRESS_ALLOW: "public, 127.0.0.1/32", EGRESS_PRIVATE: "main/orders, main/hermit" });
  assert.equal(await reach("orders", page()), "private page");
  assert.equal(await reach("orders", greeting()), "private greeting");
  for (const attempt of [page(), greeting()]) assert.equal(await reach("stranger", attempt), "refused");
  const elsewhere = { url: `http://127.0.0.2:${portOf(web)}/` };
  assert.equal(await reach("orders", elsewhere), "refused");
  for (const [to, expected] of [
    [page().url, "private page"],
    [elsewhere.url, "refused"],
    ["http://[::1]/", "refused"],
  ]) {
    assert.equal(await reach("orders", { url: `${page().url}?to=${encodeURIComponent(to!)}` }), expected, to);
  }
  await assertSocketsUnreachable("orders");
});

test("a function that wants no network gets none, even where it may have a private one", async () => {
  for (const attempt of [page(), greeting()]) assert.equal(await reach("hermit", attempt), "refused");
});

test("a version that is not the latest does not reach the private network, nor does it when asked by commit (B6)", async () => {
  const commit = await repository.git("rev-parse", "HEAD");
  const old = (await agent.functionStatus("orders")).version!;
  await deploy(agent, repository, { "orders/index.js": `${PROBE}export const another = {};\n` });
  assert.notEqual((await agent.functionStatus("orders")).version, old);
  assert.equal(await reach("orders", page()), "private page");
  for (const host of [`${old.slice(0, 8)}.orders.localhost`, `${commit.slice(0, 10)}--orders.localhost`]) {
    for (const attempt of [page(), greeting()]) assert.equal(await reach(host, attempt), "refused", host);
  }
  await repository.git("revert", "--no-edit", "HEAD");
  assert.ok((await repository.push(agent)).ok);
  assert.equal((await agent.functionStatus("orders")).version, old);
  assert.equal(await reach("orders", page()), "private page");
});

const bin = await findPostgres();
const skip = bin ? false : "there is no PostgreSQL on this machine";
if (skip) console.log(`${skip}: the test with one is left out`);

const QUERY = `import { Client } from "pg";
export default {
  async fetch(request, env) {
    const client = new Client({ ...(await request.json()), database: "postgres", connectionTimeoutMillis: 60_000 });
    try {
      await client.connect();
      const { rows } = await client.query("SELECT $1::int + 1 AS sum, current_user AS who", [41]);
      return Response.json(rows);
    } catch (error) {
      return Response.json({ refused: String(error) });
    } finally {
      await client.end().catch(() => {});
    }
  },
};
`;

test("a function queries a real PostgreSQL where it is allowed, and is refused where it is not", {
  skip,
}, async (t) => {
  const postgres: Postgres = await startPostgres(bin!);
  t.after(() => postgres.stop());
  const lockfile = async (name: string) => readFile(new URL(`../../e2e/fixtures/pg/${name}`, import.meta.url), "utf8");
  const withPg = async (name: string) => ({
    ...functionOf(name, QUERY, 'compatibility_flags = ["nodejs_compat"]\n'),
    [`${name}/package.json`]: await lockfile("package.json"),
    [`${name}/package-lock.json`]: await lockfile("package-lock.json"),
  });
  await restart({ EGRESS_ALLOW: "public, 127.0.0.0/8", EGRESS_PRIVATE: "main/*" });
  await deploy(agent, repository, { ...(await withPg("accounts")), ...(await withPg("books")) });
  const { port, user, password } = postgres;
  const ask = async (name: string) => {
    const body = JSON.stringify({ host: "127.0.0.1", port, user, password });
    return JSON.parse((await agent.request(name, "/", { method: "POST", body })).text);
  };
  const rows = [{ sum: 42, who: user }];
  assert.deepEqual([await ask("accounts"), await ask("books")], [rows, rows]);
  assert.equal(await reach("stranger", page()), "private page");
  assert.equal(await reach("hermit", page()), "refused");
  await restart({ EGRESS_ALLOW: "public, 127.0.0.0/8", EGRESS_PRIVATE: "main/accounts" });
  assert.deepEqual(await ask("accounts"), rows);
  assert.ok((await ask("books")).refused);
});
