// Functions share a process and nothing else (DESIGN.md §12.4; SECURITY.md B10), and isolates come and go without a trace.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";
import { WebSocket } from "ws";
import { createRepository, startAgent, type TestAgent, type TestRepository, until } from "./harness.js";
import { deploy, functionOf, nextChunk, openExchange } from "./traffic.js";

const MAX_ISOLATES = 5;
const CROWD = 30;

let agent: TestAgent;
let repository: TestRepository;

before(async () => {
  [agent, repository] = await Promise.all([
    startAgent({
      env: {
        RUNTIME_MAX_ISOLATES: String(MAX_ISOLATES),
        EGRESS_ALLOW: "public, 127.0.0.1/32",
        EGRESS_PRIVATE: "main/*",
      },
    }),
    createRepository(),
  ]);
  const crowd = Array.from({ length: CROWD }, (_, n) =>
    functionOf(`crowd-${n}`, MEMBER, `[vars]\nSECRET = "secret-${n}"\n`),
  );
  await deploy(agent, repository, {
    ...Object.assign({}, ...crowd),
    ...functionOf("spy", SPY, '[vars]\nOWN = "own"\n'),
    ...functionOf("vandal", VANDAL),
    ...functionOf("ender", ENDER),
    ...functionOf("impostor", IMPOSTOR),
  });
});
after(async () => {
  await Promise.all([agent?.stop(), repository?.remove()]);
});

/** Counts its requests, so that a count that begins again tells of a new isolate; also echoes streams and sockets. */
const MEMBER = `let requests = 0;
async function reportTo(url) {
  while (await (await fetch(url)).text() !== "enough") await scheduler.wait(5);
}
export default {
  async fetch(request, env, ctx) {
    requests++;
    const report = request.headers.get("x-report-to");
    if (report) ctx.waitUntil(reportTo(report));
    if (request.headers.get("upgrade") === "websocket") {
      const [client, server] = Object.values(new WebSocketPair());
      server.accept();
      server.addEventListener("message", ({ data }) => server.send(data));
      return new Response(null, { status: 101, webSocket: client });
    }
    if (request.method === "POST") return new Response(request.body);
    return Response.json({ secret: env.SECRET, requests });
  },
};
`;

async function member(n: number): Promise<{ secret: string; requests: number }> {
  const answer = await agent.request(`crowd-${n}`);
  assert.equal(answer.status, 200, answer.text);
  return JSON.parse(answer.text);
}

const SPY = `import * as workers from "cloudflare:workers";
const names = ["router", "router.js", "./router.js", "/router.js", "router.worker.js", "../router.js", "cloudflare-internal:env"];
async function importable(name) {
  return await import(name).then(() => true, () => false);
}
export default {
  async fetch(request, env, ctx) {
    const modules = [];
    for (const name of names) if (await importable(name)) modules.push(name);
    return Response.json({
      env: Object.keys(env),
      imported: Object.keys(workers.env),
      props: Object.keys(ctx.props ?? {}),
      entrypoints: Object.keys(ctx.exports ?? {}).sort(),
      modules,
      process: Object.keys(globalThis.process?.env ?? {}),
      cf: Object.keys(request.cf ?? {}),
      globals: Object.keys(globalThis).filter((name) => /wrkst|router|loader|settings/i.test(name)),
    });
  },
};
`;

test("a function holds its own vars and nothing of the router's or of another function's", async () => {
  await Promise.all([member(0), member(1)]);
  const seen = JSON.parse((await agent.request("spy")).text);
  const own = ["OWN", "D1"];
  assert.deepEqual([seen.env, seen.imported, seen.props, seen.modules, seen.globals], [own, own, [], [], []]);
  assert.ok(
    seen.process.every((name: string) => name === "OWN"),
    String(seen.process),
  );
  assert.ok(
    seen.entrypoints.every((name: string) => ["default", "__WrkstHost"].includes(name)),
    seen.entrypoints,
  );
});

const VANDAL = `for (const type of [Response, Request, Headers, URL, Map, Promise, Array, WebSocket, ReadableStream]) {
  for (const name of Object.getOwnPropertyNames(type.prototype)) {
    if (name === "constructor" || name === "then") continue;
    const { value } = Object.getOwnPropertyDescriptor(type.prototype, name);
    if (typeof value === "function" && ["get", "set", "clone", "fetch"].includes(name)) {
      type.prototype[name] = () => { throw new Error("vandalised"); };
    }
  }
}
globalThis.fetch = () => { throw new Error("vandalised"); };
globalThis.vandal = true;
JSON.parse = () => "vandalised";
export default { fetch: () => new Response("done") };
`;

test("what a function does to its globals, it does to itself", async () => {
  assert.equal((await agent.request("vandal")).text, "done");
  assert.equal((await member(2)).secret, "secret-2");
  assert.equal((await agent.request("vandal")).text, "done");
  assert.equal((await agent.request("nobody")).status, 404);
});

const ENDER = `import { abortIsolate } from "cloudflare:workers";
let requests = 0;
export default {
  async fetch(request, env, ctx) {
    const { pathname } = new URL(request.url);
    if (pathname === "/abort") abortIsolate("of its own will");
    if (pathname === "/evict") await ctx.exports.__WrkstHost.evict();
    return new Response(String(++requests));
  },
};
`;

test("a function that ends its own isolate ends no other, and answers the next request", async () => {
  const before = (await member(3)).requests;
  for (const path of ["/abort", "/evict"]) {
    const answer = await agent.request("ender", path);
    assert.ok([200, 502].includes(answer.status), answer.text);
    assert.equal((await agent.request("ender")).status, 200);
  }
  assert.equal((await member(3)).requests, before + 1);
  assert.equal((await agent.status()).runtime.restarts, 0);
});

const IMPOSTOR = `import { WorkerEntrypoint } from "cloudflare:workers";
export class __WrkstHost extends WorkerEntrypoint {
  describe() { return "the impostor's"; }
  evict() { return "kept"; }
  fetch() { return new Response("the impostor's"); }
}
export default { fetch: () => new Response("the default") };
`;

test("the host's entry point is selectable by no host or header, and no function can be it", async () => {
  assert.equal((await agent.request("impostor")).text, "the default");
  const hosts = ["__wrksthost.spy.localhost", "__WrkstHost--spy.localhost", "__WrkstHost.localhost"];
  for (const host of hosts) assert.equal((await agent.request(host)).status, 404, host);
  const headers = { "cf-worker-entrypoint": "__WrkstHost", "mf-entrypoint": "__WrkstHost" };
  assert.equal((await agent.request("impostor", "/", { headers })).text, "the default");
});

const reserved: { name: string; files: Record<string, string>; code: string; says: RegExp }[] = [
  {
    name: "var",
    files: functionOf("reserved", MEMBER, '[vars]\n__wrkst_template = "x"\n'),
    code: "ERR_MANIFEST",
    says: /reserved\/wrangler\.toml:5:.*__wrkst_template/,
  },
  {
    name: "var of the exact prefix",
    files: functionOf("reserved", MEMBER, '[vars]\n__wrkst = "x"\n'),
    code: "ERR_MANIFEST",
    says: /reserved\/wrangler\.toml:5:.*__wrkst/,
  },
  ...["__wrkst_entry.js", "__wrkst_prelude.js"].map((module) => ({
    name: `module ${module}`,
    files: {
      ...functionOf("reserved", MEMBER, "no_bundle = true\nfind_additional_modules = true\n"),
      "reserved/wrangler.toml": `name = "reserved"\nmain = "index.js"\ncompatibility_date = "2026-11-01"\nno_bundle = true\nfind_additional_modules = true\n[[rules]]\ntype = "ESModule"\nglobs = ["**/*.js"]\n`,
      [`reserved/${module}`]: "export default {};\n",
    },
    code: "ERR_BUNDLE",
    says: new RegExp(module.replace(".", "\\.")),
  })),
];

for (const { name, files, code, says } of reserved) {
  test(`a ${name} of the platform's names is refused`, async () => {
    await repository.commit({ reserved: null });
    await repository.commit(files);
    assert.match((await repository.push(agent)).output, says);
    assert.equal((await agent.functionStatus("reserved")).error?.code, code);
    assert.notEqual((await agent.request("reserved")).status, 200);
  });
}

const everybody = Array.from({ length: CROWD }, (_, n) => n);

async function untilEvicted(): Promise<void> {
  await until("idle isolates are evicted", async () => (await agent.status()).runtime.isolates <= MAX_ISOLATES);
}

test("functions called in turn beyond RUNTIME_MAX_ISOLATES evict each other and all answer", async () => {
  for (const n of everybody) await member(n);
  for (let round = 0; round < 2; round++) {
    for (const n of everybody) {
      const { secret, requests } = await member(n);
      assert.deepEqual([secret, requests], [`secret-${n}`, 1], `crowd-${n} was evicted in between`);
      assert.equal((await member(n)).requests, 2);
    }
  }
  await untilEvicted();
});

test("functions called all at once, round after round, answer without one failure", async () => {
  for (let round = 0; round < 3; round++) {
    const asked = Array.from({ length: 6 }, () => everybody).flat();
    const answers = await Promise.all(asked.map((n) => member(n)));
    for (const [at, { secret }] of answers.entries()) assert.equal(secret, `secret-${asked[at]}`);
  }
  await untilEvicted();
});

test("an eviction cuts no stream and no socket", async () => {
  const host = "crowd-0";
  const { request, response } = openExchange(agent, host);
  request.write("before");
  const message = await response;
  assert.equal(await nextChunk(message), "before");
  const socket = new WebSocket(`ws://127.0.0.1:${agent.port}/`, { headers: { host: "crowd-1.localhost" } });
  await once(socket, "open");

  for (let round = 0; round < 3; round++) await Promise.all(everybody.slice(2).map((n) => member(n)));
  request.write("after");
  assert.equal(await nextChunk(message), "after");
  socket.send("still there");
  assert.equal(String((await once(socket, "message"))[0]), "still there");
  request.end();
  assert.equal(await nextChunk(message), undefined);
  const closed = once(socket, "close");
  socket.close();
  await closed;
  await Promise.all(everybody.map((n) => member(n)));
  await untilEvicted();
});

test("an eviction does not stop what ctx.waitUntil still has to do", async (t) => {
  let isEnough = false;
  let asked = 0;
  const server = createServer((_request, response) => {
    asked++;
    response.end(isEnough ? "enough" : "more");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  await agent.request("crowd-0", "/", { headers: { "x-report-to": `http://127.0.0.1:${port}/` } });
  for (let round = 0; round < 3; round++) await Promise.all(everybody.slice(1).map((n) => member(n)));
  const before = asked;
  await until("the function works on", () => asked > before + 3);
  isEnough = true;
});
