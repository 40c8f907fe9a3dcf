import assert from "node:assert/strict";
import { after, test } from "node:test";
import { type Action, type Identity, permits, ROLES, type Role, SCOPES } from "../auth/index.js";
import type { PlatformEvent } from "../model.js";
import type { Rule } from "./gate.js";
import { functionStatus } from "./memory-platform.js";
import { serveApi } from "./testing.js";

/** Account → its function. */
const FUNCTIONS: Record<string, string> = { own: "mine", main: "ours", other: "theirs" };
/** Who the next request comes from: the header names one of these. */
const callers = new Map<string, Identity>();
const served = await serveApi(
  {},
  {
    auth: {
      authenticate: async (header) => callers.get(header?.slice(7) ?? ""),
      isAccount: (account) => Object.hasOwn(FUNCTIONS, account),
    },
  },
);
after(() => served.close());
served.platform.functionList = [
  functionStatus("mine", { account: "own" }),
  functionStatus("ours", { account: "main" }),
  functionStatus("theirs", { account: "other" }),
];
for (const [account, name] of Object.entries(FUNCTIONS)) served.deploys.seed({ account, name });

const FEW = [
  { scopes: SCOPES, isBound: false },
  { scopes: ["read"], isBound: false },
  { scopes: SCOPES, isBound: true },
] satisfies Pick<Identity, "scopes" | "isBound">[];
const EACH = [
  ...SCOPES.map((scope) => ({ scopes: [scope], isBound: false })),
  { scopes: [], isBound: false },
  { scopes: SCOPES, isBound: true },
];
/** What a scope is good for depends on no role and no account: each of them is tried with one of both, all in the long run. */
const credentialsFor = (role: Role, account: string) =>
  process.env.WRKST_TEST_LONG !== undefined || (role === "admin" && account === "own") ? EACH : FEW;

function callerOf(role: Role, scopes: Identity["scopes"], isBound: boolean): Identity {
  const credential = { kind: "api-token", id: "t" } as const;
  return { subject: "u", name: "ana", email: null, role, account: "own", scopes, isBound, credential };
}

const PREFIX = "/client/v4";
/** Every route once: with and without the prefix the rule is the same, which a test of its own looks at. */
const routes = served.api.routes
  .filter(({ path, isPlain }) => isPlain || path.startsWith(PREFIX))
  .flatMap(({ method, path, rule }) => {
    const methods = method === "ALL" ? ["GET", "POST"] : [method];
    return methods.map((one) => ({ method: one, path, rule }));
  });

/** Parameters whose grammar is not that of a name. */
const PLACES: Record<string, string> = { path: "functions.git/info/refs", commit: "3f9c2a1" };

function filled(path: string, account: string): string {
  const values: Record<string, string> = { account, name: FUNCTIONS[account] ?? "", alias: "stable", id: "job-1" };
  return path.replace(/[:*](\w+)/g, (_, name) => values[name] ?? PLACES[name] ?? "default");
}

/** Names the account where the rule looks for it. */
function addressed(path: string, rule: Exclude<Rule, "open">, account: string): string {
  return rule.of === "asked" ? `${path}?account=${account}` : path;
}

/** What the rule says, in words of its own: not the code of the gate. */
function expected(caller: Identity, rule: Exclude<Rule, "open">, account: string): "pass" | "refuse" {
  const of = { caller: caller.account, main: "main", account, asked: account, function: account }[rule.of];
  return permits(caller, rule.action, of) ? "pass" : "refuse";
}

function ruleFor(rule: (typeof routes)[number]["rule"], method: string, path: string): Rule {
  return typeof rule === "function" ? rule({ method, path, query: {} } as never) : rule;
}

const isRefusal = (status: number, code: unknown) => status === 403 || (status === 404 && code === "ERR_NOT_FOUND");

for (const role of ROLES) {
  for (const account of ["own", "main", "other"]) {
    test(`lets a ${role} do on account "${account}" exactly what the rules of the routes allow (A7)`, async () => {
      for (const { scopes, isBound } of credentialsFor(role, account))
        await walk(callerOf(role, scopes, isBound), account);
    });
  }
}

/** Nothing that a handler would take: the walk changes nothing. */
const bodyOf = (method: string) => (["POST", "PUT", "PATCH"].includes(method) ? { body: "no json" } : {});

async function walk(caller: Identity, account: string): Promise<void> {
  // A walk asks more in a minute than one may.
  served.pass(60_000);
  callers.set("caller", caller);
  const seen = await Promise.all(
    routes.map(async ({ method, path: pattern, rule: given }) => {
      const path = filled(pattern, account);
      const rule = ruleFor(given, method, path);
      if (rule === "open" || path.startsWith("/api/v1/events")) return [];
      const wanted = expected(caller, rule, account);
      const { status, json } = await served.ask(addressed(path, rule, account), {
        ...{ method, token: "caller" },
        ...bodyOf(method),
      });
      const code = json.code ?? (json.errors as { meta?: { code?: string } }[] | undefined)?.[0]?.meta?.code;
      if (wanted === "refuse" ? isRefusal(status, code) : status !== 401 && status !== 403) return [];
      return [
        `${method} ${path} as ${caller.role} [${caller.scopes}] bound=${caller.isBound}: ${status} ${code}, expected to ${wanted}`,
      ];
    }),
  );
  assert.deepEqual(seen.flat(), []);
}

test("has one rule for a route with the prefix and without", () => {
  const shaped = served.api.routes.filter(({ isPlain }) => !isPlain);
  const [long, short] = [true, false].map((has) => shaped.filter(({ path }) => path.startsWith(PREFIX) === has));
  const described = (list = shaped) => list.map(({ method, path, rule }) => [method, path.replace(PREFIX, ""), rule]);
  assert.deepEqual(described(long), described(short));
});

test("tells a function of another account and one that is not there apart for nobody else (A7, B3)", async () => {
  callers.set("caller", callerOf("deployer", ["admin"], false));
  for (const path of ["", "/why", "/pins"]) {
    const answers = ["theirs", "nowhere"].map(async (name) => {
      const { status, json } = await served.ask(`/api/v1/functions/${name}${path}`, { token: "caller" });
      return [status, json.code, String(json.detail).replace(name, "x")];
    });
    const [foreign, missing] = await Promise.all(answers);
    assert.deepEqual(foreign, missing);
  }
  const listed = (await served.ask("/api/v1/functions", { token: "caller" })).json.functions as { name: string }[];
  assert.deepEqual(
    listed.map(({ name }) => name),
    ["mine", "ours"],
  );
  const { functions } = (await served.ask("/api/v1/status", { token: "caller" })).json as {
    functions: { name: string }[];
  };
  assert.deepEqual(
    functions.map(({ name }) => name),
    ["mine", "ours"],
  );
});

test("tells a credential that is bound to another account nothing of the sources of main (A7)", async () => {
  const sourcesOf = async (isBound: boolean) => {
    callers.set("caller", callerOf("deployer", ["read"], isBound));
    return (await served.ask("/api/v1/status", { token: "caller" })).json.sources as { name: string }[];
  };
  assert.deepEqual(await sourcesOf(true), []);
  assert.deepEqual(
    (await sourcesOf(false)).map(({ name }) => name),
    ["default"],
  );
});

test("ends a stream of events before it tells more, once its credential is revoked (A5)", async () => {
  served.platform.eventList = [{ id: 1, at: 1, kind: "source.synced", message: "before" }];
  callers.set("listener", callerOf("viewer", ["read"], false));
  const headers = { accept: "text/event-stream", "last-event-id": "0", authorization: "Bearer listener" };
  const answer = await fetch(`${served.url}/api/v1/events`, { headers });
  let text = "";
  for await (const chunk of answer.body!.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    if (text.includes("last")) break;
    if (!text.includes("before") || !callers.delete("listener")) continue;
    served.platform.eventList = [
      ...served.platform.eventList,
      { id: 2, at: 2, kind: "source.synced", message: "after" },
      { id: 3, at: 3, kind: "source.synced", message: "last" },
    ];
  }
  assert.doesNotMatch(text, /after/);
});

test("tells what happened to whom it belonged to then, who did it to their account and administrators only (A7, B5, B7a)", async () => {
  const actor = { name: "root", email: null, credential: "api-token:7", address: "192.0.2.9" };
  const kinds = [
    ["function.held", "mine", "own"],
    ["function.held", "ours", "main"],
    ["function.held", "theirs", "other"],
    // Of a function that had this name before, and of a time in which nobody noted whose it was.
    ["function.held", "mine", "other"],
    ["function.held", "mine", undefined],
    ["user.logged-in", undefined, undefined],
    ["runtime.started", undefined, undefined],
    ["runtime.suspects", undefined, undefined],
    ["runtime.culprit", undefined, undefined],
    ["runtime.cleared", undefined, undefined],
  ] as const;
  served.platform.eventList = kinds.map(([kind, name, account], index) => {
    const of = { ...(name === undefined ? {} : { function: name }), ...(account === undefined ? {} : { account }) };
    return { id: index + 1, at: 1, kind, message: "m", actor, ...of };
  });
  const seenBy = async (caller: Identity) => {
    callers.set("caller", caller);
    const { events } = (await served.ask("/api/v1/events", { token: "caller" })).json as { events: PlatformEvent[] };
    return events.map((event) => [event.id, event.actor !== undefined]);
  };
  assert.deepEqual(await seenBy(callerOf("deployer", ["deploy"], false)), [
    [1, true],
    [2, false],
    [7, false],
  ]);
  assert.deepEqual(await seenBy(callerOf("admin", ["admin"], true)), [[1, true]]);
  assert.equal((await seenBy(callerOf("admin", ["admin"], false))).filter(([, has]) => has).length, 10);
});

test("refuses an account that is not there, to administrators too", async () => {
  callers.set("caller", callerOf("admin", ["admin"], false));
  const { status, json } = await served.ask("/client/v4/accounts/nowhere/workers/scripts", { token: "caller" });
  assert.deepEqual([status, (json.errors as { code: number }[])[0]?.code], [403, 2007]);
});

test("asks for the right to push at both requests of a push, and for none of it to fetch", async () => {
  const actions = routes.filter(({ path }) => path.startsWith("/git/")).map(({ rule }) => rule);
  const actionOf = (path: string, query = {}): Action => {
    const rule = typeof actions[0] === "function" ? actions[0]({ method: "GET", path, query } as never) : "open";
    return rule === "open" ? "self" : rule.action;
  };
  assert.equal(actionOf("/git/functions.git/info/refs", { service: "git-receive-pack" }), "push");
  assert.equal(actionOf("/git/functions.git/git-receive-pack"), "push");
  assert.equal(actionOf("/git/functions.git/info/refs", { service: "git-upload-pack" }), "read");
});

test("checks credential, name, permission and support in this order", async () => {
  callers.set("caller", callerOf("viewer", ["read"], false));
  const base = "/client/v4/accounts";
  const ask = async (path: string, method: string, token: string | null) =>
    (await served.ask(path, { method, token })).status;
  assert.equal(await ask(`${base}/own/r2/buckets/x`, "POST", null), 401);
  assert.equal(await ask(`${base}/own/workers/scripts/No_Name`, "DELETE", "caller"), 400);
  assert.equal(await ask(`${base}/other/r2/buckets/x`, "GET", "caller"), 403);
  assert.equal(await ask(`${base}/own/r2/buckets/x`, "POST", "caller"), 403);
  assert.equal(await ask(`${base}/own/r2/buckets/x`, "GET", "caller"), 501);
});
