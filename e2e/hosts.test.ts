// Which host leads where (DESIGN.md §5; SECURITY.md B3, B4, B5a).
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { versionId } from "../agent/artifact/identity.js";
import { BUNDLER_ID } from "../agent/bundle/bundler.js";
import { openRegistry } from "../agent/store/index.js";
import { type Answer, createRepository, startAgent, type TestAgent, type TestRepository } from "./harness.js";
import { deploy, functionOf, openExchange, remaining } from "./traffic.js";

let agent: TestAgent;
let repository: TestRepository;
let dataDir: string;

const NAMED = (name: string) =>
  `export default { fetch: (request) => Response.json([${JSON.stringify(name)}, request.url, request.headers.get("cf-connecting-ip")]) };\n`;

before(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "wrkst-hosts-"));
  [agent, repository] = await Promise.all([start({}), createRepository()]);
  await deploy(agent, repository, {
    ...functionOf("hello", NAMED("hello")),
    ...functionOf("shop", NAMED("shop"), 'routes = ["shop.example.com/*", "Other.Example.com"]\n'),
    ...functionOf("moved", NAMED("old")),
    ...functionOf("evil", NAMED("evil")),
  });
});
after(async () => {
  await Promise.all([agent?.stop(), repository?.remove()]);
  await rm(dataDir, { recursive: true, force: true });
});

const start = (env: Record<string, string>) =>
  startAgent({ dataDir, env: { PUBLIC_URL: "http://wrkst.example.com", ...env } });

async function restart(env: Record<string, string> = {}): Promise<void> {
  await agent.stop();
  agent = await start(env);
}

/** Who answered: a function by its name, the API, or nobody. */
function whoOf(answer: Answer): string {
  if (answer.status === 200) return JSON.parse(answer.text)[0];
  return /ERR_NOT_FOUND/.test(answer.text) && answer.status === 404 ? "nobody" : `${answer.status} ${answer.text}`;
}

const hosts: { name: string; host: (port: number) => string; answers: string }[] = [
  { name: "the plain host", host: () => "hello.localhost", answers: "hello" },
  { name: "upper case", host: () => "HeLLo.LOCALHOST", answers: "hello" },
  { name: "the port", host: (port) => `hello.localhost:${port}`, answers: "hello" },
  { name: "another port", host: () => "hello.localhost:1", answers: "hello" },
  { name: "a trailing dot", host: () => "hello.localhost.", answers: "hello" },
  { name: "a trailing dot before a port", host: () => "hello.localhost.:8080", answers: "hello" },
  { name: "the alias latest as a label", host: () => "latest.hello.localhost", answers: "hello" },
  { name: "the alias latest as a prefix", host: () => "latest--hello.localhost", answers: "hello" },
  { name: "a route", host: () => "shop.example.com", answers: "shop" },
  { name: "a route in another case, with port and dot", host: () => "SHOP.example.com.:99", answers: "shop" },
  { name: "a route that was written in another case", host: () => "other.example.com", answers: "shop" },
  { name: "what lies under a route", host: () => "www.shop.example.com", answers: "nobody" },
  { name: "what a route lies under", host: () => "example.com", answers: "nobody" },
  { name: "a name that only ends as a route does", host: () => "evilshop.example.com", answers: "nobody" },
  { name: "the base domain without a label boundary", host: () => "evil-localhost", answers: "nobody" },
  { name: "the base domain as a part of a label", host: () => "hellolocalhost", answers: "nobody" },
  { name: "the base domain under another", host: () => "hello.localhost.evil", answers: "nobody" },
  { name: "an empty label", host: () => ".localhost", answers: "nobody" },
  { name: "two trailing dots", host: () => "hello.localhost..", answers: "nobody" },
  { name: "an unknown function", host: () => "nope.localhost", answers: "nobody" },
  { name: "an unknown label", host: () => "nope.hello.localhost", answers: "nobody" },
  { name: "an unknown version", host: () => "00000000.hello.localhost", answers: "nobody" },
  { name: "an unknown commit", host: () => "0000000--hello.localhost", answers: "nobody" },
  { name: "a prefix that is too short", host: () => "0.hello.localhost", answers: "nobody" },
  { name: "three labels", host: () => "a.latest.hello.localhost", answers: "nobody" },
  { name: "both forms at once", host: () => "latest.latest--hello.localhost", answers: "nobody" },
  { name: "what every object inherits", host: () => "constructor.localhost", answers: "nobody" },
  { name: "what every object inherits, as a label", host: () => "constructor.hello.localhost", answers: "nobody" },
  { name: "an address", host: (port) => `127.0.0.1:${port}`, answers: "nobody" },
  { name: "an address of version 6", host: (port) => `[::1]:${port}`, answers: "nobody" },
  { name: "an empty host", host: () => "", answers: "nobody" },
];

for (const { name, host, answers } of hosts) {
  test(`${name} leads to ${answers}`, async () => {
    // The form with a dot or a colon goes out as it stands; the others would be completed.
    const { request, response } = openExchange(agent, "", { method: "GET", headers: { host: host(agent.port) } });
    request.end();
    const message = await response;
    const answer = { status: message.statusCode ?? 0, headers: message.headers, text: await remaining(message) };
    assert.equal(whoOf(answer), answers);
  });
}

test("the API answers at the base domain and at the host of PUBLIC_URL, and nowhere else (B4)", async () => {
  const authorization = `Bearer ${await agent.token()}`;
  const status = async (host: string) =>
    (await agent.request(host, "/api/v1/status", { headers: { authorization } })).status;
  for (const host of ["localhost", `localhost:${agent.port}`, "wrkst.example.com", "WRKST.example.com.:80"]) {
    assert.equal(await status(host), 200, host);
  }
  for (const host of [`127.0.0.1:${agent.port}`, "[::1]", "nope.localhost", "example.com", "api.localhost"]) {
    assert.equal(await status(host), 404, host);
  }
  const [who] = JSON.parse((await agent.request("hello", "/api/v1/status", { headers: { authorization } })).text);
  assert.equal(who, "hello");
});

test("health answers on hosts that are no function, and a function's own host is the function's", async () => {
  for (const host of [
    "localhost",
    "wrkst.example.com",
    `127.0.0.1:${agent.port}`,
    "nope.localhost",
    "unknown.example",
  ]) {
    for (const path of ["/healthz", "/readyz"])
      assert.equal((await agent.request(host, path)).status, 200, host + path);
  }
  assert.equal(whoOf(await agent.request("hello", "/healthz")), "hello");
});

test("forwarded hosts do not count unless they are switched on (B4)", async () => {
  const headers = {
    "x-forwarded-host": "evil.localhost",
    "x-forwarded-proto": "https",
    forwarded: "host=evil.localhost",
  };
  const [who, url] = JSON.parse((await agent.request("hello", "/", { headers })).text);
  assert.deepEqual([who, url], ["hello", "http://hello.localhost/"]);
  assert.equal(whoOf(await agent.request("nope", "/", { headers })), "nobody");
  assert.equal(
    (await agent.request("nope", "/api/v1/status", { headers: { "x-forwarded-host": "localhost" } })).status,
    404,
  );
});

/** What comes back for the bytes of a request, whatever they are. */
async function exchangeBytes(lines: string[]): Promise<string> {
  const socket = connect(agent.port, "127.0.0.1");
  socket.end(`${lines.join("\r\n")}\r\n\r\n`);
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

const targets: { name: string; line: string; host: string; answers: RegExp }[] = [
  {
    name: "of another host",
    line: "GET http://evil.localhost/x HTTP/1.1",
    host: "hello.localhost",
    answers: /"hello","http:\/\/hello\.localhost\/x"/,
  },
  {
    name: "of the API",
    line: "GET http://localhost/api/v1/status HTTP/1.1",
    host: "hello.localhost",
    answers: /"hello"/,
  },
  {
    name: "that looks like a host",
    line: "GET //evil.localhost/x HTTP/1.1",
    host: "hello.localhost",
    answers: /"hello","http:\/\/hello\.localhost\/\/evil/,
  },
  {
    name: "under a host with a user",
    line: "GET / HTTP/1.1",
    host: "hello.localhost@evil.localhost",
    answers: /^HTTP\/1\.1 404 /,
  },
  {
    name: "under a host with a path",
    line: "GET / HTTP/1.1",
    host: "hello.localhost/evil",
    answers: /^HTTP\/1\.1 404 /,
  },
  {
    name: "under two hosts",
    line: "GET / HTTP/1.1",
    host: "hello.localhost\r\nHost: evil.localhost",
    answers: /^HTTP\/1\.1 [45]/,
  },
];

for (const { name, line, host, answers } of targets) {
  test(`a request target ${name} changes nothing about who is asked`, async () => {
    assert.match(
      (await exchangeBytes([line, `Host: ${host}`, "Connection: close"])).replace(/\r\n\r\n/, "\n"),
      answers,
    );
  });
}

test("each request of one connection goes to its own host", async () => {
  const hosts = ["hello.localhost", "evil.localhost", "nope.localhost", "hello.localhost"];
  const requests = hosts.map((host) => `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`).join("");
  const answers = await exchangeBytes([`${requests}GET / HTTP/1.1`, "Host: shop.example.com", "Connection: close"]);
  const names = [...answers.matchAll(/\["(\w+)"|code: (ERR_\w+)/g)].map(([, name, code]) => name ?? code);
  assert.deepEqual(names, ["hello", "evil", "ERR_NOT_FOUND", "hello", "shop"]);
});

test("a function with routes of its own has no other host, unless it asks for one", async () => {
  assert.equal(whoOf(await agent.request("shop")), "nobody");
  const toml = 'routes = ["both.example.com"]\nworkers_dev = true\n';
  await deploy(agent, repository, functionOf("both", NAMED("both"), toml));
  for (const host of ["both", "both.example.com"]) assert.equal(whoOf(await agent.request(host)), "both");
});

test("a route that is taken, or is the platform's, is refused by name", async () => {
  for (const route of ["shop.example.com", "wrkst.example.com", "x.localhost", "192.0.2.1"]) {
    await repository.commit(functionOf("thief", NAMED("thief"), `routes = ["${route}"]\n`));
    assert.ok((await repository.push(agent)).output.includes(`"${route}"`), route);
    assert.equal((await agent.functionStatus("thief")).state, "failed");
  }
  assert.equal(whoOf(await agent.request("shop.example.com")), "shop");
  await deploy(agent, repository, { thief: null });
});

test("versions and commits answer by both forms of a label, with the port and in any case", async () => {
  const [first, v1] = [await repository.git("rev-parse", "HEAD"), (await agent.functionStatus("moved")).version!];
  const second = await deploy(agent, repository, { "moved/index.js": NAMED("new") });
  const v2 = (await agent.functionStatus("moved")).version!;
  assert.notEqual(v1, v2);
  const labels: [string, string][] = [
    [v1.slice(0, 8), "old"],
    [v1, "old"],
    [v1.replaceAll("-", ""), "old"],
    [v1.slice(0, 8).toUpperCase(), "old"],
    [first.slice(0, 7), "old"],
    [first, "old"],
    [v2.slice(0, 8), "new"],
    [second.slice(0, 10), "new"],
    [v1.slice(0, 7), "nobody"],
    [first.slice(0, 6), "nobody"],
  ];
  for (const [label, name] of labels) {
    for (const host of [`${label}.moved.localhost`, `${label}--moved.localhost:1`, `${label}.moved.localhost.`]) {
      assert.equal(whoOf(await agent.request(host)), name, host);
    }
  }
  assert.equal(whoOf(await agent.request(`${v1.slice(0, 8)}.evil.localhost`)), "nobody");
  assert.equal(whoOf(await agent.request(`${first.slice(0, 8)}.evil.localhost`)), "evil");
});

/** Wrangler file of "twin" whose version depends on the number alone, so that ids can be searched for. */
const twin = (n: number) => functionOf("twin", TWIN, `[vars]\nN = ${n}\n`);
const TWIN = "export default { fetch: (request, env) => Response.json([String(env.N)]) };\n";

/** Commits like the one given, told apart by their message alone; their ids are known before they are written. */
async function variantsOf(commit: string) {
  const head = (await repository.git("cat-file", "commit", commit)).split("\n\n", 1)[0]!;
  const content = (n: number) => `${head}\n\nnumber ${n}\n`;
  const id = (n: number) =>
    createHash("sha1")
      .update(`commit ${content(n).length}\0${content(n)}`)
      .digest("hex");
  const push = async (n: number) => {
    const file = join(repository.dir, ".git/candidate");
    await writeFile(file, content(n));
    assert.equal(await repository.git("hash-object", "-t", "commit", "-w", file), id(n));
    await repository.git("reset", "--quiet", "--hard", id(n));
    const { output } = await repository.push(agent, "--force", "HEAD:main");
    assert.match(output, / live in /);
  };
  return { id, push };
}

const served = async (label: string) => whoOf(await agent.request(`${label}.twin.localhost`));

test("an ambiguous version prefix is nobody's, and a version wins over a commit (B3)", async () => {
  await deploy(agent, repository, twin(0));
  const { version } = await agent.functionStatus("twin");
  const registry = openRegistry(join(dataDir, "registry.sqlite"));
  const { artifact, manifest } = registry.version(version!)!;
  registry.close();
  const identity = { account: "main", function: "twin", artifact, bundler: BUNDLER_ID };
  const idOf = (n: number) => versionId({ ...identity, manifest: { ...manifest, vars: { N: n } } });
  assert.equal(idOf(0), version);

  const numbers = new Map<string, number>();
  let pair: number[] = [];
  for (let n = 1; !pair.length; n++) {
    const prefix = idOf(n).slice(0, 8);
    const other = numbers.get(prefix);
    if (other !== undefined) pair = [other, n];
    numbers.set(prefix, n);
  }
  for (const n of pair) await deploy(agent, repository, twin(n));
  assert.equal(await served(idOf(pair[0]!).slice(0, 8)), "nobody");
  for (const n of pair) assert.equal(await served(idOf(n).slice(0, 18)), String(n));

  const { id, push } = await variantsOf(await repository.commit(twin(-1)));
  let nonce = 0;
  while (!numbers.has(id(nonce).slice(0, 8))) nonce++;
  await push(nonce);
  assert.equal(await served(id(nonce).slice(0, 8)), "-1");
  const same = numbers.get(id(nonce).slice(0, 8))!;
  await deploy(agent, repository, twin(same));
  assert.equal(await served(id(nonce).slice(0, 8)), String(same));
  assert.equal(await served(id(nonce).slice(0, 12)), "-1");
});

test("an ambiguous commit prefix is nobody's", async () => {
  const start = await repository.git("rev-parse", "HEAD");
  const left = await variantsOf(await repository.commit(twin(-2)));
  await repository.git("reset", "--quiet", "--hard", start);
  const right = await variantsOf(await repository.commit(twin(-3)));
  const lefts = new Map(Array.from({ length: 1 << 15 }, (_, n) => [left.id(n).slice(0, 7), n]));
  let nonce = 0;
  while (!lefts.has(right.id(nonce).slice(0, 7))) nonce++;
  const prefix = right.id(nonce).slice(0, 7);
  await left.push(lefts.get(prefix)!);
  assert.equal(await served(prefix), "-2");
  await right.push(nonce);
  assert.equal(await served(prefix), "nobody");
  assert.equal(await served(left.id(lefts.get(prefix)!).slice(0, 20)), "-2");
  assert.equal(await served(right.id(nonce).slice(0, 20)), "-3");
});

test("an alias wins over a version of the same prefix", async () => {
  const { version } = await agent.functionStatus("moved");
  await agent.stop();
  const registry = openRegistry(join(dataDir, "registry.sqlite"));
  const { id } = registry.functionByName("moved")!;
  const old = registry.versions(id).find((candidate) => candidate.id !== version)!;
  const label = version!.slice(0, 13);
  for (const name of ["staging", label]) registry.setAlias(id, name, old.id);
  registry.bumpRouteGeneration();
  registry.close();
  agent = await start({});
  assert.equal(whoOf(await agent.request("moved")), "new");
  assert.equal(whoOf(await agent.request(`${version!.slice(0, 8)}.moved.localhost`)), "new");
  for (const name of ["staging", label]) {
    assert.equal(whoOf(await agent.request(`${name}.moved.localhost`)), "old");
    assert.equal(whoOf(await agent.request(`${name}--moved.localhost`)), "old");
    assert.equal(whoOf(await agent.request(`${name}.evil.localhost`)), "nobody");
  }
});

test("behind a trusted proxy the forwarded host, protocol and address count, each of them checked (B4, B5a)", async () => {
  await restart({ USE_FORWARDED_HOST: "true", TRUSTED_PROXIES: "127.0.0.1, 198.51.100.0/24" });
  const seen = async (headers: Record<string, string>, host = "inside") => {
    const answer = await agent.request(host, "/path?q", { headers });
    return answer.status === 200 ? JSON.parse(answer.text) : [whoOf(answer)];
  };
  const forwarded = { "x-forwarded-host": "evil.localhost", "x-forwarded-proto": "https" };
  const url = "https://evil.localhost/path?q";
  assert.deepEqual(await seen(forwarded), ["evil", url, "127.0.0.1"]);
  assert.deepEqual(await seen(forwarded, "hello"), ["evil", url, "127.0.0.1"]);
  assert.deepEqual(await seen({ "x-forwarded-host": "evil.localhost:8443, hello.localhost" }), [
    "evil",
    "http://evil.localhost:8443/path?q",
    "127.0.0.1",
  ]);
  for (const value of ["evil.localhost/x", "user@evil.localhost", "evil.localhost?x", "", "evil.localhost:x", " "]) {
    assert.deepEqual((await seen({ "x-forwarded-host": value }, "hello"))[0], "hello", value);
  }
  assert.deepEqual((await seen({ "x-forwarded-proto": "javascript" }, "hello"))[1], "http://hello.localhost/path?q");

  const chain = "192.0.2.1, 203.0.113.7, 198.51.100.20";
  assert.equal(
    (await seen({ ...forwarded, "x-forwarded-for": chain, "cf-connecting-ip": "1.1.1.1" }))[2],
    "203.0.113.7",
  );
  assert.equal((await seen({ ...forwarded, "x-forwarded-for": "2001:db8::1" }))[2], "2001:db8::1");
  assert.equal((await seen({ ...forwarded, "x-forwarded-for": "192.0.2.1, nonsense" }))[2], "127.0.0.1");

  const authorization = `Bearer ${await agent.token()}`;
  const api = { headers: { authorization, "x-forwarded-host": "localhost" } };
  assert.equal((await agent.request("inside", "/api/v1/status", api)).status, 200);
  const hidden = { headers: { authorization, "x-forwarded-host": "hello.localhost" } };
  assert.equal(whoOf(await agent.request("localhost", "/api/v1/status", hidden)), "hello");
});

const isLinux = process.platform === "linux";
test("what an address says that is no trusted proxy does not count", {
  skip: !isLinux && "one loopback address",
}, async () => {
  const headers = {
    "x-forwarded-host": "evil.localhost",
    "x-forwarded-proto": "https",
    "x-forwarded-for": "192.0.2.1",
  };
  const { request, response } = openExchange(agent, "hello", { method: "GET", headers, localAddress: "127.0.0.2" });
  request.end();
  assert.deepEqual(JSON.parse(await remaining(await response)), ["hello", "http://hello.localhost/", "127.0.0.2"]);
});
