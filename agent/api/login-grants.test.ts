import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { decodeJwt, decodeProtectedHeader, SignJWT } from "jose";
import { getCode, logIn, logInAtProvider } from "../auth/testing/provider.js";
import { newBrowser, serveLogin } from "./test-login.js";
import { TOKEN } from "./testing.js";

const CODE = "authorization_code";
const DEVICE = "urn:ietf:params:oauth:grant-type:device_code";
const SECRET = "a signing secret of the tests, long enough";
const HOUR = 3_600_000;

test("the access token is an at+jwt of our own with account, audience and an hour to live (A4)", async (t) => {
  const { publicUrl } = await serveLogin(t);
  const { access_token: token, expires_in } = await logIn({ publicUrl, person: "ann" });
  assert.deepEqual(decodeProtectedHeader(token), { alg: "HS256", typ: "at+jwt" });
  const { iss, aud, account_id, client_id, exp = 0, iat = 0 } = decodeJwt(token);
  assert.deepEqual([iss, aud, account_id, client_id], [publicUrl, publicUrl, "ann", "wrkst"]);
  assert.deepEqual([exp - iat, expires_in], [3600, 3600]);
});

test("a code works once, for its client, with its verifier, for a minute (A4)", async (t) => {
  const { publicUrl, post, pass, ask } = await serveLogin(t);
  const { code, verifier } = await getCode({ publicUrl, person: "ann" });
  const good = { grant_type: CODE, code, client_id: "wrkst", code_verifier: verifier };
  const wrong: [string, Record<string, string>][] = [
    ["nothing but an unknown code", { code: "unknown" }],
    ["nothing but the code", { code }],
    ["another client", { ...good, client_id: "54d11594-84e4-41aa-b438-e81b8fa78ee7" }],
    ["another verifier", { ...good, code_verifier: "w".repeat(43) }],
    ["the challenge as verifier", { ...good, code_verifier: "" }],
    ["another redirect URI", { ...good, redirect_uri: "http://127.0.0.1:1/callback" }],
  ];
  for (const [name, fields] of wrong) {
    const { status, json } = await post("/oauth2/token", fields);
    assert.deepEqual([status, json.error], [400, "invalid_grant"], name);
  }
  const { json } = await post("/oauth2/token", { ...good, grant_type: "" });
  assert.equal(json.token_type, "Bearer");
  const again = await post("/oauth2/token", good);
  assert.deepEqual([again.status, again.json.error], [400, "invalid_grant"]);
  assert.equal((await ask("/api/v1/whoami", { token: String(json.access_token) })).status, 401);
  const late = await getCode({ publicUrl, person: "ann" });
  pass(60_000);
  const expired = await post("/oauth2/token", { ...good, code: late.code, code_verifier: late.verifier });
  assert.deepEqual([expired.status, expired.json.error], [400, "invalid_grant"]);
});

test("a code that is asked for twice at once is given out once (A4)", async (t) => {
  const { publicUrl, post } = await serveLogin(t);
  const { code, verifier } = await getCode({ publicUrl, person: "ann" });
  const fields = { grant_type: CODE, code, client_id: "wrkst", code_verifier: verifier };
  const answers = await Promise.all(Array.from({ length: 5 }, () => post("/oauth2/token", fields)));
  assert.equal(answers.filter(({ status }) => status === 200).length, 1);
});

test("a refresh token is replaced at every use, and its re-use ends the family (A4)", async (t) => {
  const { publicUrl, post, ask } = await serveLogin(t);
  const first = await logIn({ publicUrl, person: "ann", scope: "read openid" });
  const refresh = (refresh_token: unknown, client_id = "wrkst") =>
    post("/oauth2/token", { grant_type: "refresh_token", refresh_token: String(refresh_token), client_id });
  assert.equal(
    (await refresh(first.refresh_token, "54d11594-84e4-41aa-b438-e81b8fa78ee7")).json.error,
    "invalid_grant",
  );
  const second = await refresh(first.refresh_token);
  assert.deepEqual([second.status, second.json.scope], [200, "read openid"]);
  assert.notEqual(second.json.refresh_token, first.refresh_token);
  assert.equal((await ask("/api/v1/whoami", { token: String(second.json.access_token) })).status, 200);
  assert.equal((await refresh(first.refresh_token)).json.error, "invalid_grant");
  assert.equal((await refresh(second.json.refresh_token)).json.error, "invalid_grant");
  for (const token of [first.access_token, String(second.json.access_token)]) {
    assert.equal((await ask("/api/v1/whoami", { token })).status, 401);
  }
});

test("a refresh token expires thirty days after its last use, and ninety after the login (A4)", async (t) => {
  const { publicUrl, post, pass } = await serveLogin(t);
  const refresh = async (refresh_token: unknown) =>
    (
      await post("/oauth2/token", {
        grant_type: "refresh_token",
        refresh_token: String(refresh_token),
        client_id: "wrkst",
      })
    ).json;
  const idle = await logIn({ publicUrl, person: "ann" });
  let { refresh_token: busy } = (await logIn({ publicUrl, person: "ann" })) as { refresh_token: unknown };
  for (let month = 0; month < 3; month++) {
    pass(30 * 24 * HOUR - 1000);
    const answer = await refresh(busy);
    assert.equal(answer.error, undefined);
    busy = answer.refresh_token;
  }
  pass(3001);
  for (const token of [idle.refresh_token, busy]) assert.equal((await refresh(token)).error, "invalid_grant");
});

test("logout ends refresh and access tokens at once, and knows only its own client's (A5)", async (t) => {
  const { publicUrl, post, ask } = await serveLogin(t);
  for (const kind of ["refresh_token", "access_token"] as const) {
    const tokens = await logIn({ publicUrl, person: "ann" });
    const token = tokens[kind];
    await post("/oauth2/revoke", { token, client_id: "54d11594-84e4-41aa-b438-e81b8fa78ee7" });
    assert.equal((await ask("/api/v1/whoami", { token: tokens.access_token })).status, 200);
    assert.equal((await post("/oauth2/revoke", { token, client_id: "wrkst", token_type_hint: kind })).status, 200);
    const refreshed = { grant_type: "refresh_token", refresh_token: tokens.refresh_token, client_id: "wrkst" };
    assert.equal((await post("/oauth2/token", refreshed)).json.error, "invalid_grant");
    assert.equal((await ask("/api/v1/whoami", { token: tokens.access_token })).status, 401);
  }
  assert.equal((await post("/oauth2/revoke", { token: "unknown" })).status, 200);
});

test("disabling a user ends logins and API tokens at once, and the door stays shut (A5, A7)", async (t) => {
  const { publicUrl, post, ask, registry } = await serveLogin(t);
  const tokens = await logIn({ publicUrl, person: "ann" });
  const made = await ask("/api/v1/tokens", {
    method: "POST",
    token: tokens.access_token,
    body: JSON.stringify({ name: "ci", scopes: ["deploy"] }),
  });
  const api = String(made.json.token);
  assert.equal((await ask("/api/v1/whoami", { token: api })).json.account, "ann");
  const change = (disabled: boolean) =>
    ask("/api/v1/users/ann", { method: "PATCH", body: JSON.stringify({ disabled }) });
  assert.equal((await change(true)).json.disabled, true);
  for (const token of [tokens.access_token, api]) assert.equal((await ask("/api/v1/whoami", { token })).status, 401);
  const refreshed = { grant_type: "refresh_token", refresh_token: tokens.refresh_token, client_id: "wrkst" };
  assert.equal((await post("/oauth2/token", refreshed)).json.error, "invalid_grant");
  await assert.rejects(logIn({ publicUrl, person: "ann" }), /403.*disabled/s);
  await change(false);
  assert.equal((await ask("/api/v1/whoami", { token: api })).status, 200);
  assert.equal((await ask("/api/v1/whoami", { token: tokens.access_token })).status, 401);
  const [event] = registry.events({ kinds: ["user.changed"], limit: 1 });
  assert.deepEqual([event?.actor?.credential, event?.actor?.address], ["admin-token", "127.0.0.1"]);
});

test("a user's role is the administrator's word, within the rules of now (A7)", async (t) => {
  const { publicUrl, ask } = await serveLogin(t);
  const { access_token: token } = await logIn({ publicUrl, person: "ann" });
  const roleOf = async () => (await ask("/api/v1/whoami", { token })).json.role;
  const set = (role: string | null) => ask("/api/v1/users/ann", { method: "PATCH", body: JSON.stringify({ role }) });
  assert.equal(await roleOf(), "deployer");
  for (const role of ["viewer", "admin"]) {
    await set(role);
    assert.equal(await roleOf(), role);
  }
  assert.equal((await ask("/api/v1/users", { token })).status, 200);
  await set(null);
  assert.equal(await roleOf(), "deployer");
  const root = await logIn({ publicUrl, person: "root" });
  const own = await ask("/api/v1/users/root", { method: "PATCH", token: root.access_token, body: '{"role":"viewer"}' });
  assert.equal(own.status, 409);
});

test("no kind of token works in place of another (A4)", async (t) => {
  const { publicUrl, post, ask } = await serveLogin(t);
  const spare = await getCode({ publicUrl, person: "ann" });
  const tokens = await logIn({ publicUrl, person: "ann" });
  const device = (await post("/oauth2/device/auth", { client_id: "wrkst" })).json;
  const made = await ask("/api/v1/tokens", { method: "POST", body: '{"name":"x","scopes":["read"]}' });
  const kinds: Record<string, string> = {
    code: spare.code,
    access: tokens.access_token,
    refresh: tokens.refresh_token,
    device: String(device.device_code),
    api: String(made.json.token),
    admin: TOKEN,
  };
  for (const [kind, token] of Object.entries(kinds)) {
    const isBearer = ["access", "api", "admin"].includes(kind);
    assert.equal((await ask("/api/v1/whoami", { token })).status, isBearer ? 200 : 401, `${kind} as bearer`);
    const grants: [string, string, Record<string, string>][] = [
      ["code", CODE, { code: token, code_verifier: spare.verifier }],
      ["refresh", "refresh_token", { refresh_token: token }],
      ["device", DEVICE, { device_code: token }],
    ];
    for (const [expected, grant_type, fields] of grants.filter(([expected]) => expected !== kind)) {
      const { json } = await post("/oauth2/token", { grant_type, client_id: "wrkst", ...fields });
      assert.equal(json.error, "invalid_grant", `${kind} as ${expected}`);
    }
  }
});

test("an access token is taken only with our key, type, issuer, audience, algorithm, and in time (A4)", async (t) => {
  const { publicUrl, ask, pass } = await serveLogin(t, { jwtSecret: SECRET });
  const { access_token } = await logIn({ publicUrl, person: "ann" });
  const claims = decodeJwt(access_token);
  const key = new TextEncoder().encode(SECRET);
  const sign = (change: object, header: object = {}, by: Uint8Array = key) =>
    new SignJWT({ ...claims, ...change }).setProtectedHeader({ alg: "HS256", typ: "at+jwt", ...header }).sign(by);
  const unsigned = `${Buffer.from('{"alg":"none","typ":"at+jwt"}').toString("base64url")}.${access_token.split(".")[1]}.`;
  assert.equal((await ask("/api/v1/whoami", { token: await sign({}) })).status, 200);
  const bad: Record<string, string> = {
    unsigned,
    "of another type": await sign({}, { typ: "JWT" }),
    "without a type": await sign({}, { typ: undefined }),
    "of another issuer": await sign({ iss: "https://other.example" }),
    "for another audience": await sign({ aud: "https://other.example" }),
    expired: await sign({ exp: claims.iat! - 1 }),
    "without expiry": await sign({ exp: undefined }),
    "with another algorithm": await sign({}, { alg: "HS512" }, new Uint8Array(64).fill(7)),
    "with another key": await sign({}, {}, new TextEncoder().encode(`${SECRET}!`)),
    "of an unknown user": await sign({ sub: "somebody" }),
    "of an unknown login": await sign({ sid: "something" }),
    tampered: access_token.replace(
      /\.([^.]+)\./,
      (_, body) =>
        `.${Buffer.from(JSON.stringify({ ...JSON.parse(Buffer.from(body, "base64url").toString()), account_id: "main" })).toString("base64url")}.`,
    ),
  };
  for (const [name, token] of Object.entries(bad)) {
    pass(60_001 / 30);
    assert.equal((await ask("/api/v1/whoami", { token })).status, 401, name);
  }
  pass(HOUR);
  assert.equal((await ask("/api/v1/whoami", { token: access_token })).status, 401);
});

test("keeps codes, refresh tokens and device codes as digests only (A4)", async (t) => {
  const { publicUrl, post, dir } = await serveLogin(t);
  const { code } = await getCode({ publicUrl, person: "ann" });
  const { refresh_token } = await logIn({ publicUrl, person: "ann" });
  const { json } = await post("/oauth2/device/auth", { client_id: "wrkst" });
  for (const file of ["registry.sqlite", "registry.sqlite-wal"]) {
    const bytes = readFileSync(join(dir, file));
    for (const secret of [code, refresh_token, String(json.device_code)]) assert.ok(!bytes.includes(secret.slice(8)));
  }
});

test("logs a device in whose code a person confirms on another machine (A2, A4)", async (t) => {
  const { publicUrl, post, pass, ask, provider } = await serveLogin(t);
  const begin = async () => (await post("/oauth2/device/auth", { client_id: "wrkst", scope: "read" })).json;
  const poll = async (device_code: unknown, client_id = "wrkst") =>
    (await post("/oauth2/token", { grant_type: DEVICE, device_code: String(device_code), client_id })).json;
  const asked = await begin();
  assert.match(String(asked.user_code), /^[B-Z]{4}-[B-Z]{4}$/);
  assert.equal(asked.verification_uri, `${publicUrl}/device`);
  assert.equal((await poll(asked.device_code)).error, "authorization_pending");
  assert.equal((await poll(asked.device_code)).error, "slow_down");
  assert.equal((await poll(asked.device_code, "54d11594-84e4-41aa-b438-e81b8fa78ee7")).error, "invalid_grant");
  const browser = newBrowser();
  const typed = await browser.open(`${publicUrl}/device`);
  const wrong = await browser.submit(typed, { user_code: "AAAA-AAAA" });
  assert.equal(wrong.status, 400);
  const page = await logInAtProvider(
    browser,
    `${publicUrl}/device?user_code=${String(asked.user_code).toLowerCase()}`,
    "ann",
  );
  assert.ok(page.text.includes(String(asked.user_code)), page.text);
  assert.match(page.text, /asked from<\/dt><dd>127\.0\.0\.1/);
  const said = await browser.submit(page, { decision: "allow" });
  assert.match(said.text, /device is logged in/);
  pass(5001);
  const tokens = await poll(asked.device_code);
  assert.equal((await ask("/api/v1/whoami", { token: String(tokens.access_token) })).json.account, "ann");
  assert.equal((await poll(asked.device_code)).error, "invalid_grant");

  const denied = await begin();
  const question = await logInAtProvider(browser, String(denied.verification_uri_complete), "ann");
  await browser.submit(question, { decision: "deny" });
  assert.equal((await poll(denied.device_code)).error, "access_denied");
  const late = await begin();
  pass(600_001);
  assert.equal((await poll(late.device_code)).error, "expired_token");
  assert.equal((await post("/oauth2/device/auth", { client_id: "other" })).json.error, "invalid_client");
  assert.ok(provider.requests.length > 0);
});

test("guesses at codes of devices are counted, and refused after thirty in a minute (A8)", async (t) => {
  const { ask, pass } = await serveLogin(t);
  for (let i = 0; i < 30; i++) assert.equal((await ask("/device?user_code=AAAAAAAA", { token: null })).status, 400);
  assert.equal((await ask("/device?user_code=AAAAAAAA", { token: null })).status, 429);
  assert.equal((await ask("/device", { token: null })).status, 200);
  assert.equal((await ask("/api/v1/whoami")).status, 200);
  pass(60_001);
  assert.equal((await ask("/device?user_code=AAAAAAAA", { token: null })).status, 400);
});

const malformed: [string, string, string, string][] = [
  ["no grant", "", "application/x-www-form-urlencoded", "invalid_request"],
  ["an unknown grant", "grant_type=password&username=a", "application/x-www-form-urlencoded", "unsupported_grant_type"],
  ["a parameter twice", "code=a&code=b", "application/x-www-form-urlencoded", "invalid_request"],
  ["JSON that is none", "{", "application/json", "invalid_request"],
  ["JSON of another shape", '{"code":1}', "application/json", "invalid_request"],
  ["a body without type", "\0\0", "", "invalid_request"],
  ["too much", `code=${"x".repeat(20_000)}`, "application/x-www-form-urlencoded", "invalid_request"],
];

test("answers malformed token requests with the errors of OAuth", async (t) => {
  const { ask } = await serveLogin(t);
  for (const [name, body, type, error] of malformed) {
    const headers: Record<string, string> = type ? { "content-type": type } : {};
    const { status, json } = await ask("/oauth2/token", { method: "POST", token: null, body, headers });
    assert.ok(status === 400 || status === 413, name);
    assert.equal(json.error, error, name);
  }
});
