import assert from "node:assert/strict";
import { test } from "node:test";
import { Browser } from "../auth/testing/browser.js";
import { authorizationUrl, getCode, logIn, logInAtProvider } from "../auth/testing/provider.js";
import { askedPage, newBrowser, serveLogin } from "./test-login.js";
import { serveApi } from "./testing.js";

const VERIFIER = "v".repeat(43);

test("logs a user in over a real provider, to tokens that work (A2, A3)", async (t) => {
  const { ask, publicUrl, registry } = await serveLogin(t);
  const tokens = await logIn({ publicUrl, person: "ann", scope: "account:read workers:write offline_access" });
  assert.deepEqual([tokens.token_type, tokens.scope], ["Bearer", "account:read workers:write offline_access"]);
  const { json } = await ask("/api/v1/whoami", { token: tokens.access_token });
  assert.deepEqual(
    [json.account, json.role, json.email, json.scopes],
    ["ann", "deployer", "ann@example.com", ["read", "deploy"]],
  );
  assert.equal((await ask("/api/v1/users", { token: tokens.access_token })).status, 403);
  const [event] = registry.events({ kinds: ["user.logged-in"], limit: 1 });
  assert.deepEqual([event?.actor?.name, event?.actor?.address], ["ann@example.com", "127.0.0.1"]);
});

const refusedRequests: [string, Record<string, string>][] = [
  ["no client", { client_id: "" }],
  ["an unknown client", { client_id: "other" }],
  ["no state", { state: "" }],
  ["no redirect URI", { redirect_uri: "" }],
  ["a redirect to another host", { redirect_uri: "https://evil.example/callback" }],
  ["a redirect to a host that begins like loopback", { redirect_uri: "http://127.0.0.1.evil.example/callback" }],
  ["a redirect with a user part", { redirect_uri: "http://127.0.0.1:8976@evil.example/callback" }],
  ["a redirect with loopback as user", { redirect_uri: "http://localhost@evil.example/callback" }],
  ["a redirect to another path", { redirect_uri: "http://127.0.0.1:8976/callback/x" }],
  ["a redirect with a query", { redirect_uri: "http://127.0.0.1:8976/callback?next=https://evil.example" }],
  ["a redirect with a fragment", { redirect_uri: "http://127.0.0.1:8976/callback#x" }],
  ["a redirect to a port that is none", { redirect_uri: "http://127.0.0.1:99999/callback" }],
  ["a redirect with dots in its path", { redirect_uri: "http://127.0.0.1:8976/x/../callback" }],
  ["a redirect by https to loopback", { redirect_uri: "https://localhost/callback" }],
  ["a redirect with a line break", { redirect_uri: "http://127.0.0.1:8976/callback\n" }],
  ["a redirect to a script", { redirect_uri: "javascript:alert(1)//callback" }],
  ["another client's redirect of the operator's", { redirect_uri: "https://tool.example.com/done" }],
  ["no challenge", { code_challenge: "" }],
  ["a challenge that is none", { code_challenge: "short" }],
  ["a plain challenge", { code_challenge_method: "plain" }],
  ["no method of the challenge", { code_challenge_method: "" }],
  ["another response type", { response_type: "token" }],
  ["a scope with odd characters", { scope: 'a "b' }],
];

test("refuses a request that is not allowed before anything is redirected (A1, A2)", async (t) => {
  const redirects = [{ clientId: "tool", uri: "https://tool.example.com/done" }];
  const { ask, publicUrl, provider } = await serveLogin(t, { redirects });
  for (const [name, change] of refusedRequests) {
    const url = authorizationUrl({ publicUrl, person: "ann" }, VERIFIER, change);
    for (const [key, value] of Object.entries(change)) if (value === "") url.searchParams.delete(key);
    const { status, json, headers } = await ask(`${url.pathname}${url.search}`, { token: null });
    assert.deepEqual([status, json.error], [400, "invalid_request"], name);
    assert.equal(headers.location, undefined, name);
    assert.equal(headers["set-cookie"], undefined, name);
  }
  assert.deepEqual(provider.requests, []);
});

const takenRedirects: [string, string][] = [
  ["wrkst", "http://127.0.0.1:1/callback"],
  ["wrkst", "http://[::1]:65535/oauth/callback"],
  ["54d11594-84e4-41aa-b438-e81b8fa78ee7", "http://localhost:8976/oauth/callback"],
  ["wrkst", "http://localhost/callback"],
  ["tool", "https://tool.example.com/done"],
  ["wrkst", "https://shared.example.com/done"],
];

test("takes loopback redirects of known clients on any port, and the operator's own (A1)", async (t) => {
  const redirects = [
    { clientId: "tool", uri: "https://tool.example.com/done" },
    { clientId: undefined, uri: "https://shared.example.com/done" },
  ];
  const { ask, publicUrl, provider } = await serveLogin(t, { redirects });
  for (const [clientId, redirectUri] of takenRedirects) {
    const url = authorizationUrl({ publicUrl, person: "ann", clientId, redirectUri }, VERIFIER);
    const { status, headers } = await ask(`${url.pathname}${url.search}`, { token: null });
    assert.deepEqual([status, headers.location?.startsWith(`${provider.issuer}/auth?`)], [302, true], redirectUri);
  }
});

test("sends the browser off with state, nonce and S256, bound to it by a cookie that only our host sets (A2, B9)", async (t) => {
  const { ask, publicUrl } = await serveLogin(t);
  const url = authorizationUrl({ publicUrl, person: "ann" }, VERIFIER);
  const first = await ask(`${url.pathname}${url.search}`, { token: null });
  const second = await ask(`${url.pathname}${url.search}`, { token: null });
  const [cookie = ""] = first.headers["set-cookie"] ?? [];
  assert.match(cookie, /^__Host-wrkst-login=[\w-]{43}; Max-Age=600; Path=\/; HttpOnly; Secure; SameSite=Lax$/);
  const [one, two] = [first, second].map(({ headers }) => new URL(headers.location ?? "").searchParams);
  assert.equal(one?.get("code_challenge_method"), "S256");
  for (const name of ["state", "nonce", "code_challenge"]) {
    assert.match(one?.get(name) ?? "", /^[\w-]{43}$/);
    assert.notEqual(one?.get(name), two?.get(name));
  }
});

test("a function's host can neither set nor read the cookie of a login, by the rules of browsers (B9)", () => {
  const browser = new Browser();
  const platform = new URL("http://localhost:8080/oauth2/auth");
  const evil = new URL("http://evil.localhost:8080/");
  browser.set("__Host-wrkst-login=good; Path=/; HttpOnly; Secure; SameSite=Lax", platform);
  browser.set("__Host-wrkst-login=bad; Path=/; Secure; Domain=localhost", evil);
  browser.set("__Host-wrkst-login=bad; Path=/x; Secure", platform);
  browser.set("__Host-wrkst-login=bad; Path=/", platform);
  assert.deepEqual(
    browser.cookies.map(({ value }) => value),
    ["good"],
  );
  assert.equal(browser.refused.length, 3);
});

test("a login over plain http works on loopback only, since the cookie is Secure (A2)", async () => {
  const browser = new Browser();
  const line = "__Host-wrkst-login=x; Path=/; HttpOnly; Secure; SameSite=Lax";
  for (const host of ["localhost", "127.0.0.1", "[::1]", "fn.localhost"]) browser.set(line, new URL(`http://${host}/`));
  assert.equal(browser.cookies.length, 4);
  browser.set(line, new URL("http://fn.example.com/"));
  assert.deepEqual(browser.refused, ["__Host-wrkst-login: Secure from an insecure place"]);
});

test("a login is finished once, in the browser that began it, within ten minutes (A2)", async (t) => {
  const { publicUrl, pass, ask } = await serveLogin(t);
  const begin = async () => {
    const browser = new Browser((url) => url.pathname === "/auth/callback");
    const page = await logInAtProvider(browser, authorizationUrl({ publicUrl, person: "ann" }, VERIFIER), "ann");
    return {
      callback: `${page.url.pathname}${page.url.search}`,
      cookie: `__Host-wrkst-login=${browser.cookies.find(({ name }) => name.startsWith("__Host"))?.value}`,
    };
  };
  const finish = (callback: string, cookie?: string) =>
    ask(callback, { token: null, headers: cookie ? { cookie } : {} });
  const { callback, cookie } = await begin();
  const other = await begin();
  for (const wrong of [undefined, other.cookie, "__Host-wrkst-login=", cookie.replace("__Host-", "")]) {
    const { status, json } = await finish(callback, wrong);
    assert.deepEqual([status, json.error], [400, "invalid_request"]);
  }
  assert.equal((await finish(callback.replace(/state=[^&]*/, "state=forged"), cookie)).status, 400);
  assert.equal((await finish(callback, cookie)).status, 303);
  assert.equal((await finish(callback, cookie)).status, 400);
  const late = await begin();
  pass(600_001);
  assert.equal((await finish(late.callback, late.cookie)).status, 400);
});

test("asks the person, showing client and account, on a page that cannot be framed (B9)", async (t) => {
  const { publicUrl } = await serveLogin(
    t,
    {},
    { people: { "<b>": { email: "x@example.com", email_verified: true, name: "<script>alert(1)</script>" } } },
  );
  const { page } = await askedPage({ publicUrl, person: "<b>", scope: "read deploy" });
  assert.match(page.text, /<dd>wrkst<\/dd>.*<dd>x<\/dd>/s);
  assert.doesNotMatch(page.text, /<script|<b>/);
  const policy = page.headers.get("content-security-policy") ?? "";
  assert.match(policy, /^default-src 'none'; /);
  assert.match(policy, /frame-ancestors 'none'/);
  assert.match(policy, /form-action 'self' http:\/\/127\.0\.0\.1:8976;/);
  assert.equal(page.headers.get("x-frame-options"), "DENY");
  assert.equal(page.headers.get("cache-control"), "no-store");
});

test("takes the person's word once, from the form of the page, in that browser (B9)", async (t) => {
  const { publicUrl } = await serveLogin(t);
  const { browser, page } = await askedPage({ publicUrl, person: "ann" });
  const forged: [string, Record<string, string | undefined>, Record<string, string>][] = [
    ["no token of the form", { form: undefined }, {}],
    ["another token", { form: "x".repeat(43) }, {}],
    ["a form of another site", {}, { origin: "https://evil.example" }],
    ["a form of a function's page", {}, { "sec-fetch-site": "same-site" }],
    ["a form of a sandboxed frame", {}, { origin: "null" }],
  ];
  for (const [name, fields, headers] of forged) {
    const answer = await browser.submit(page, { decision: "allow", ...fields }, headers);
    assert.equal(answer.status, 403, name);
  }
  const stranger = await newBrowser().submit(page, { decision: "allow" });
  assert.equal(stranger.status, 400);
  const allowed = await browser.submit(page, { decision: "allow" });
  assert.match(
    allowed.url.href,
    /^http:\/\/127\.0\.0\.1:8976\/callback\?code=wrkstc_[\w-]{43}&state=state-of-the-client&iss=/,
  );
  assert.equal((await browser.submit(page, { decision: "allow" })).status, 400);
});

test("tells the client when the person says no, and gives no code", async (t) => {
  const { publicUrl } = await serveLogin(t);
  const { browser, page } = await askedPage({ publicUrl, person: "ann" });
  const { searchParams } = (await browser.submit(page, { decision: "deny" })).url;
  assert.deepEqual([searchParams.get("error"), searchParams.has("code")], ["access_denied", false]);
});

test("two logins in one browser do not disturb each other", async (t) => {
  const { publicUrl } = await serveLogin(t);
  const browser = newBrowser();
  const first = await askedPage({ publicUrl, person: "ann", browser });
  const second = await askedPage({ publicUrl, person: "ann", browser });
  for (const { page } of [first, second]) {
    assert.match((await browser.submit(page, { decision: "allow" })).url.search, /^\?code=/);
  }
});

test("lets nobody in whom no rule names, with a clear 403 (A7)", async (t) => {
  const { publicUrl, registry } = await serveLogin(
    t,
    {},
    {
      people: {
        eve: { email: "eve@evil.example", email_verified: true },
        fay: { email: "fay@example.com", email_verified: false },
        gus: { email: "gus@example.com.evil.example", email_verified: true },
        hal: { email: "x@example.com@evil.example", email_verified: true },
        ida: {},
      },
    },
  );
  for (const person of ["eve", "fay", "gus", "hal", "ida"]) {
    const { page } = await askedPage({ publicUrl, person });
    assert.equal(page.status, 403, person);
    assert.match(page.text, /no rule lets/);
  }
  assert.deepEqual(registry.access.users(), []);
});

test("knows roles by e-mail, group and subject; a group only where the provider names it (A3, A7)", async (t) => {
  const people = {
    ann: { email: "ann@example.com", email_verified: true, groups: ["devs"] },
    bob: { email: "bob@other.example", email_verified: false, groups: ["ops"] },
    cat: { groups: ["devs"] },
  };
  for (const claimsInIdToken of [false, true]) {
    const rules = {
      allow: [{ claim: "group", pattern: "devs" }],
      admins: [{ claim: "group", pattern: "op*" }],
    } as const;
    const { publicUrl, ask } = await serveLogin(
      t,
      { allow: [...rules.allow], admins: [...rules.admins] },
      { people, claimsInIdToken },
    );
    const roles = [];
    for (const person of Object.keys(people)) {
      const { access_token: token } = await logIn({ publicUrl, person });
      roles.push((await ask("/api/v1/whoami", { token })).json.role);
    }
    assert.deepEqual(roles, ["deployer", "admin", "deployer"]);
  }
});

test("without a provider there is no login, and says so (A7)", async (t) => {
  const served = await serveApi();
  t.after(() => served.close());
  const url = authorizationUrl({ publicUrl: served.url, person: "ann" }, VERIFIER);
  const json = await served.ask(`${url.pathname}${url.search}`, { token: null });
  assert.deepEqual([json.status, json.json.error], [501, "login_not_set_up"]);
  const html = await served.ask(`${url.pathname}${url.search}`, { token: null, headers: { accept: "text/html" } });
  assert.match(html.text, /no OpenID provider/);
  assert.equal((await served.ask("/oauth2/auth", { token: null })).status, 400);
  const device = { method: "POST", token: null, body: "client_id=wrkst" };
  assert.equal((await served.ask("/oauth2/device/auth", device)).status, 501);
});

test("neither codes nor tokens nor cookies are in any log (A4)", async (t) => {
  const { publicUrl, logged, post, ask, registry } = await serveLogin(t);
  const browser = newBrowser();
  const { code, verifier } = await getCode({ publicUrl, person: "ann", browser });
  const grant = { grant_type: "authorization_code", code, client_id: "wrkst", code_verifier: verifier };
  const { json } = await post("/oauth2/token", grant);
  await post("/oauth2/token", grant);
  await ask("/api/v1/whoami", { token: String(json.access_token) });
  await ask(`/api/v1/status?token=${json.access_token}`, { token: null });
  const tokens = await ask("/api/v1/tokens", {
    method: "POST",
    body: JSON.stringify({ name: "canary", scopes: ["read"] }),
  });
  const secrets = [code, verifier, json.access_token, json.refresh_token, tokens.json.token];
  secrets.push(...browser.cookies.map(({ value }) => value));
  const events = JSON.stringify(registry.events({ limit: 1000 }));
  for (const secret of secrets) {
    assert.ok(String(secret).length > 20);
    assert.ok(!logged().includes(String(secret)) && !events.includes(String(secret)));
  }
});

test("tells clients where the login is (RFC 8414), and nothing where there is none", async (t) => {
  const { ask, publicUrl } = await serveLogin(t);
  const { status, json } = await ask("/.well-known/oauth-authorization-server", { token: null });
  assert.deepEqual([status, json.issuer, json.token_endpoint], [200, publicUrl, `${publicUrl}/oauth2/token`]);
  assert.deepEqual(json.code_challenge_methods_supported, ["S256"]);
  const without = await serveApi();
  t.after(() => without.close());
  assert.equal((await without.ask("/.well-known/oauth-authorization-server", { token: null })).status, 501);
});

test("refuses browsers with a page and clients in the form of OAuth, also who asks too often (A8)", async (t) => {
  const { ask, close } = await serveApi();
  t.after(close);
  const html = { accept: "text/html,application/xhtml+xml,*/*;q=0.8" };
  const page = await ask("/oauth2/auth", { token: null, headers: html });
  assert.deepEqual([page.status, page.headers["content-type"]], [400, "text/html; charset=utf-8"]);
  assert.match(String(page.headers["content-security-policy"]), /default-src 'none'/);
  const many = async (headers = {}) => {
    for (;;) {
      const answer = await ask("/oauth2/token", { token: null, method: "POST", body: "code=x", headers });
      if (answer.status === 429) return answer;
    }
  };
  const { json, headers } = await many();
  assert.deepEqual([json.error, typeof headers["retry-after"]], ["temporarily_unavailable", "string"]);
  assert.equal((await many(html)).headers["content-type"], "text/html; charset=utf-8");
});
