import assert from "node:assert/strict";
import { test } from "node:test";
import { logIn } from "../auth/testing/provider.js";
import { serveLogin } from "./test-login.js";
import { serveApi } from "./testing.js";

const people = { root: { email: "root@example.com", email_verified: true } };

async function serveTokens(t: Parameters<typeof serveLogin>[0]) {
  const served = await serveLogin(t, {}, { people });
  const send = (method: string, path: string, token: string | undefined, body?: object) =>
    served.ask(path, {
      method,
      ...(token === undefined ? {} : { token }),
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
  const make = (token: string | undefined, body: object) =>
    send("POST", "/api/v1/tokens", token, { name: "t", scopes: ["read"], ...body });
  const tokenOf = async (person: string) => (await logIn({ publicUrl: served.publicUrl, person })).access_token;
  return { ...served, send, make, tokenOf };
}

test("a token's value is told once, and every change is an audit event with who, what, where and by which credential", async (t) => {
  const { make, send, registry, tokenOf } = await serveTokens(t);
  const ann = await tokenOf("ann");
  const expires = new Date(Date.now() + 3_600_000).toISOString();
  const { status, json } = await make(ann, { name: "ci", scopes: ["deploy"], expires });
  assert.deepEqual([status, json.account, json.scopes, json.expires], [201, "ann", ["deploy"], expires]);
  const id = String(json.id);
  const one = await send("GET", `/api/v1/tokens/${id.slice(0, 8)}`, ann);
  assert.deepEqual([one.json.id, one.json.token], [id, undefined]);
  assert.equal(((await send("GET", "/api/v1/tokens", ann)).json.tokens as unknown[]).length, 1);
  assert.equal(
    (await send("GET", "/api/v1/whoami", String(json.token))).json.subject,
    (await send("GET", "/api/v1/whoami", ann)).json.subject,
  );
  assert.equal((await send("DELETE", `/api/v1/tokens/${id}`, ann)).status, 204);
  assert.equal((await send("GET", "/api/v1/whoami", String(json.token))).status, 401);
  const events = registry.events({ kinds: ["token.created", "token.revoked"], limit: 10 });
  assert.deepEqual(
    events.map(({ kind }) => kind),
    ["token.revoked", "token.created"],
  );
  for (const { actor } of events) {
    assert.match(actor?.credential ?? "", /^access-token:[\w-]{36}$/);
    assert.deepEqual([actor?.email, actor?.address], ["ann@example.com", "127.0.0.1"]);
  }
});

test("nobody makes a token that may do more than they, or for another account (A4, A7)", async (t) => {
  const { make, send, tokenOf } = await serveTokens(t);
  const [ann, root] = [await tokenOf("ann"), await tokenOf("root")];
  const viewer = await tokenOf("vic");
  await send("PATCH", "/api/v1/users/vic", undefined, { role: "viewer" });
  const cases: [string, string | undefined, object, number][] = [
    ["a deployer: admin", ann, { scopes: ["admin"] }, 403],
    ["a deployer: git", ann, { scopes: ["git"] }, 403],
    ["a deployer: main", ann, { account: "main" }, 403],
    ["a deployer: another's account", ann, { account: "root" }, 403],
    ["a deployer: the own account by name", ann, { account: "ann", scopes: ["read", "deploy"] }, 201],
    ["a viewer: deploy", viewer, { scopes: ["deploy"] }, 403],
    ["a viewer: read", viewer, {}, 201],
    ["an administrator: any account", root, { account: "ann", scopes: ["deploy"] }, 201],
    ["an administrator: git on main", root, { account: "main", scopes: ["git"] }, 201],
    ["an administrator: git on another account", root, { account: "ann", scopes: ["git"] }, 400],
    ["the admin token: everything", undefined, { scopes: ["read", "deploy", "git", "admin"] }, 201],
    ["no scope", ann, { scopes: [] }, 400],
    ["an unknown scope", ann, { scopes: ["root"] }, 400],
    ["an account of no grammar", root, { account: "../main" }, 400],
    ["an expiry in the past", ann, { expires: "2020-01-01T00:00:00Z" }, 400],
    ["an expiry that is none", ann, { expires: "soon" }, 400],
    ["no name", ann, { name: " " }, 400],
    ["something else besides", ann, { owner: "root" }, 400],
  ];
  for (const [name, token, body, status] of cases) assert.equal((await make(token, body)).status, status, name);
});

test("a login with few scopes makes no token with more (A4)", async (t) => {
  const { make, publicUrl } = await serveTokens(t);
  const { access_token } = await logIn({ publicUrl, person: "root", scope: "read" });
  assert.equal((await make(access_token, { scopes: ["deploy"] })).status, 403);
  assert.equal((await make(access_token, { scopes: ["read"] })).status, 201);
});

test("people see and revoke their own tokens, administrators all (A7)", async (t) => {
  const { make, send, tokenOf } = await serveTokens(t);
  const [ann, bob, root] = [await tokenOf("ann"), await tokenOf("bob"), await tokenOf("root")];
  const id = String((await make(ann, {})).json.id);
  assert.deepEqual((await send("GET", "/api/v1/tokens", bob)).json.tokens, []);
  for (const method of ["GET", "DELETE"]) assert.equal((await send(method, `/api/v1/tokens/${id}`, bob)).status, 404);
  assert.equal(((await send("GET", "/api/v1/tokens", root)).json.tokens as unknown[]).length, 1);
  assert.equal((await send("DELETE", `/api/v1/tokens/${id}`, root)).status, 204);
});

test("an API token revokes itself and its children, not its siblings, and no token outlives its maker (A4, A5)", async (t) => {
  const { make, send, tokenOf } = await serveTokens(t);
  const ann = await tokenOf("ann");
  const expires = new Date(Date.now() + 3_600_000).toISOString();
  const [first, second] = [(await make(ann, { expires })).json, (await make(ann, {})).json];
  assert.equal((await make(String(first.token), {})).status, 403);
  const child = (await make(String(first.token), { expires })).json;
  assert.equal((await send("DELETE", `/api/v1/tokens/${second.id}`, String(first.token))).status, 403);
  assert.equal((await send("DELETE", `/api/v1/tokens/${first.id}`, String(first.token))).status, 204);
  assert.equal((await send("GET", "/api/v1/whoami", String(child.token))).status, 401);
  assert.equal((await send("GET", "/api/v1/whoami", String(second.token))).status, 200);
});

test("a token for another account ends when its owner is no administrator any more (A5, A7)", async (t) => {
  const { make, send, tokenOf } = await serveTokens(t);
  await tokenOf("ann");
  const bob = await tokenOf("bob");
  await send("PATCH", "/api/v1/users/bob", undefined, { role: "admin" });
  const { json } = await make(bob, { account: "ann", scopes: ["deploy"] });
  assert.equal((await send("GET", "/api/v1/whoami", String(json.token))).json.account, "ann");
  await send("PATCH", "/api/v1/users/bob", undefined, { role: null });
  assert.equal((await send("GET", "/api/v1/whoami", String(json.token))).status, 401);
});

test("administrators list users and change them, by id, prefix or account; nobody else does (A7)", async (t) => {
  const { send, tokenOf } = await serveTokens(t);
  const ann = await tokenOf("ann");
  const { users } = (await send("GET", "/api/v1/users", undefined)).json as { users: Record<string, unknown>[] };
  assert.deepEqual(
    users.map(({ account, role, roleSet, disabled }) => [account, role, roleSet, disabled]),
    [["ann", "deployer", null, false]],
  );
  const id = String(users[0]?.id);
  for (const name of [id, id.slice(0, 8), "ann"])
    assert.equal((await send("GET", `/api/v1/users/${name}`, undefined)).json.id, id);
  assert.equal((await send("GET", `/api/v1/users/${id.slice(0, 7)}`, undefined)).status, 404);
  for (const [method, path] of [
    ["GET", "/api/v1/users"],
    ["GET", "/api/v1/users/ann"],
    ["PATCH", "/api/v1/users/ann"],
  ] as const) {
    assert.equal((await send(method, path, ann, method === "PATCH" ? { role: "admin" } : undefined)).status, 403);
  }
  assert.equal((await send("PATCH", "/api/v1/users/ann", undefined, { role: "root" })).status, 400);
  assert.equal((await send("PATCH", "/api/v1/users/ann", undefined, { account: "main" })).status, 400);
});

test("whoami says who asks, for which accounts and by which credential", async (t) => {
  const { send, tokenOf, make } = await serveTokens(t);
  const root = await tokenOf("root");
  const accountsOf = async (token?: string) => (await send("GET", "/api/v1/whoami", token)).json.accounts;
  assert.deepEqual(await accountsOf(), ["main", "root"]);
  assert.deepEqual(await accountsOf(root), ["main", "root"]);
  assert.deepEqual(await accountsOf(await tokenOf("ann")), ["ann", "main"]);
  assert.deepEqual(await accountsOf(String((await make(root, { account: "ann" })).json.token)), ["ann"]);
  const { credential, subject } = (await send("GET", "/api/v1/whoami", undefined)).json;
  assert.deepEqual([credential, subject], [{ kind: "admin-token", id: null }, "admin"]);
});

test("a token is made for an account that is there, and for no more than five hundred times", async () => {
  const { ask, registry, close } = await serveApi();
  try {
    const make = (account: string) =>
      ask("/api/v1/tokens", { method: "POST", body: JSON.stringify({ name: "t", scopes: ["read"], account }) });
    assert.deepEqual([(await make("nobody")).status, (await make("main")).status], [404, 201]);
    const [token] = registry.access.apiTokens();
    registry.access.transaction(() => {
      for (let n = 0; n < 499; n++) registry.access.addApiToken(`digest ${n}`, { ...token!, id: `token-${n}` });
    });
    const { status, json } = await make("main");
    assert.deepEqual([status, json.code], [409, "ERR_CONFLICT"]);
    assert.equal((await make("other")).status, 201);
  } finally {
    await close();
  }
});
