import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { envelope, problem, type Reply, type Setting, serve, type TestServer, wrkst } from "./testing.js";

type Form = Record<string, string>;

/** A server whose access tokens live for an hour and whose refresh tokens are good once: a second use ends the login. */
async function serveLogin(t: TestContext) {
  const server = await serve();
  t.after(() => server.close());
  let [made, ended] = [0, false];
  const state = { now: 0, refreshes: 0, challenge: "", redirect: "", refresh: "", access: "", polls: [] as string[] };
  const tokens = () => {
    made++;
    Object.assign(state, { access: `access-${made}`, refresh: `refresh-${made}` });
    return { access_token: state.access, refresh_token: state.refresh, expires_in: 3600, token_type: "Bearer" };
  };
  const refused = (error: string): Reply => ({
    status: 400,
    body: { error, error_description: `because of ${error}` },
  });
  const grants: Record<string, (form: Form) => unknown> = {
    authorization_code: ({ code, code_verifier = "", redirect_uri }) => {
      const challenge = createHash("sha256").update(code_verifier).digest("base64url");
      const isRight = code === "good" && challenge === state.challenge && redirect_uri === state.redirect;
      return isRight ? tokens() : refused("invalid_grant");
    },
    refresh_token: ({ refresh_token }) => {
      state.refreshes++;
      if (ended || refresh_token !== state.refresh) ended = true;
      return ended ? refused("invalid_grant") : tokens();
    },
    "urn:ietf:params:oauth:grant-type:device_code": ({ device_code }) => {
      const [next] = state.polls.splice(0, 1);
      return next || device_code !== "device" ? refused(next ?? "invalid_grant") : tokens();
    },
  };
  server.on("POST /oauth2/token", ({ body }) => grants[(body as Form).grant_type ?? ""]?.(body as Form));
  server.on("GET /oauth2/auth", () => ({ status: 302 }));
  server.on("POST /oauth2/device/auth", () => ({
    device_code: "device",
    user_code: "ABCD-EFGH",
    verification_uri: `${server.url}/device`,
    expires_in: 600,
    interval: 0.001,
  }));
  server.on("POST /oauth2/revoke", () => {
    ended = true;
    return {};
  });
  server.on("GET /api/v1/whoami", ({ authorization }) =>
    authorization === `Bearer ${state.access}`
      ? { name: "Ada", email: null, role: "deployer", account: "ada", scopes: ["read"] }
      : problem(401, "ERR_UNAUTHORIZED", "expected a token"),
  );
  return { ...server, state };
}

type LoginServer = Awaited<ReturnType<typeof serveLogin>>;

/** A browser in which the person says yes: it comes back with a code, after others tried theirs. */
function agree({ state }: LoginServer, code = "good") {
  return async (page: string) => {
    const { searchParams } = new URL(page);
    state.challenge = searchParams.get("code_challenge") ?? "";
    state.redirect = searchParams.get("redirect_uri") ?? "";
    assert.match(state.redirect, /^http:\/\/127\.0\.0\.1:\d+\/callback$/);
    assert.equal(searchParams.get("client_id"), "wrkst");
    assert.equal(searchParams.get("code_challenge_method"), "S256");
    assert.equal((await fetch(`${state.redirect}?code=evil&state=guessed`)).status, 400);
    assert.equal((await fetch(new URL("/elsewhere", state.redirect))).status, 404);
    const answer = new URLSearchParams({ code, state: searchParams.get("state") ?? "" });
    void fetch(`${state.redirect}?${answer}`).catch(() => undefined);
    return true;
  };
}

async function settingOf(t: TestContext, server: TestServer): Promise<Setting & { url: string }> {
  const home = await mkdtemp(join(tmpdir(), "wrkst-login-"));
  t.after(() => rm(home, { recursive: true, force: true }));
  return { folder: home, home, now: 0, env: { WRKST_URL: server.url }, url: server.url };
}

const fileOf = ({ home }: Setting) => join(home, ".config/wrkst/config.json");
const configOf = async (setting: Setting) => JSON.parse(await readFile(fileOf(setting), "utf8"));

test("logs in through the browser, with PKCE and a state of its own, and remembers the account [A1 A2]", async (t) => {
  const server = await serveLogin(t);
  const setting = await settingOf(t, server);
  const { code, out, err } = await wrkst(["login"], { ...setting, browse: agree(server) });
  assert.deepEqual([code, out], [0, `logged in to ${server.url} as Ada, account ada\n`]);
  assert.match(err, /http:\/\/127.*oauth2\/auth\?/);
  assert.equal((await configOf(setting)).servers[server.url].account, "ada");
  assert.equal((await wrkst(["whoami", "--json"], setting)).code, 0);
});

test("keeps tokens where only their owner reads them", async (t) => {
  const server = await serveLogin(t);
  const setting = await settingOf(t, server);
  await wrkst(["login"], { ...setting, browse: agree(server) });
  assert.equal((await stat(fileOf(setting))).mode & 0o777, 0o600);
  assert.equal((await stat(join(fileOf(setting), ".."))).mode & 0o777, 0o700);
});

test("says why a login failed and keeps nothing", async (t) => {
  const server = await serveLogin(t);
  const setting = await settingOf(t, server);
  const wrong = await wrkst(["login"], { ...setting, browse: agree(server, "wrong") });
  assert.equal(wrong.code, 1);
  assert.match(wrong.err, /because of invalid_grant/);
  const refuse = async (page: string) => {
    const { searchParams } = new URL(page);
    const answer = new URLSearchParams({ error: "access_denied", state: searchParams.get("state") ?? "" });
    void fetch(`${searchParams.get("redirect_uri")}?${answer}`).catch(() => undefined);
    return true;
  };
  assert.match((await wrkst(["login"], { ...setting, browse: refuse })).err, /the login failed: access_denied/);
  await assert.rejects(stat(fileOf(setting)), /ENOENT/);
});

test("says at once that a server has no login, and what to do instead", async (t) => {
  const server = await serveLogin(t);
  const setting = await settingOf(t, server);
  const body = { error: "login_not_set_up", error_description: "login is not set up here", hint: "use a token" };
  server.on("GET /oauth2/auth", () => ({ status: 501, body }));
  const { code, err } = await wrkst(["login"], setting);
  assert.equal(code, 1);
  assert.match(err, /login is not set up here\nwrkst: hint: use a token/);
});

test("logs in on another machine by a code, as patiently as the server asks", async (t) => {
  const server = await serveLogin(t);
  const setting = await settingOf(t, server);
  server.state.polls = ["authorization_pending", "authorization_pending"];
  const { code, err } = await wrkst(["login", "--device"], setting);
  assert.equal(code, 0);
  assert.match(err, /ABCD-EFGH/);
  server.state.polls = ["access_denied"];
  assert.equal((await wrkst(["login", "--device"], setting)).code, 1);
});

test("renews a token that has ended, once for many commands at the same time [A4]", async (t) => {
  const server = await serveLogin(t);
  const setting = await settingOf(t, server);
  await wrkst(["login"], { ...setting, browse: agree(server) });
  const later = { ...setting, now: 3_600_000 };
  const results = await Promise.all([1, 2, 3, 4, 5].map(() => wrkst(["whoami"], later)));
  assert.deepEqual(
    results.map(({ code }) => code),
    [0, 0, 0, 0, 0],
  );
  assert.equal(server.state.refreshes, 1);
  assert.equal((await configOf(setting)).servers[server.url].login.refresh, server.state.refresh);
});

test("renews a token that the server refuses before its time", async (t) => {
  const server = await serveLogin(t);
  const setting = await settingOf(t, server);
  await wrkst(["login"], { ...setting, browse: agree(server) });
  server.state.access = "of-another-key";
  assert.equal((await wrkst(["whoami"], setting)).code, 0);
  assert.equal(server.state.refreshes, 1);
});

test("forgets a login that the server has ended, and says what to do", async (t) => {
  const server = await serveLogin(t);
  const setting = await settingOf(t, server);
  await wrkst(["login"], { ...setting, browse: agree(server) });
  server.state.refresh = "stolen-and-used";
  const { code, err } = await wrkst(["whoami"], { ...setting, now: 3_600_000 });
  assert.equal(code, 1);
  assert.match(err, /wrkst login/);
  assert.equal((await configOf(setting)).servers[server.url].login, undefined);
});

test("ends the login at the server and here [A5]", async (t) => {
  const server = await serveLogin(t);
  const setting = await settingOf(t, server);
  await wrkst(["login"], { ...setting, browse: agree(server) });
  const { refresh } = server.state;
  assert.equal((await wrkst(["logout"], setting)).code, 0);
  const revoked = server.requests.find(({ path }) => path === "/oauth2/revoke")?.body as Form;
  assert.deepEqual([revoked.token, revoked.token_type_hint], [refresh, "refresh_token"]);
  assert.deepEqual((await configOf(setting)).servers, {});
});

test("sends a token to no server but its own", async (t) => {
  const [home, other] = [await serveLogin(t), await serve()];
  t.after(() => other.close());
  other.on("GET /api/v1/whoami", () => problem(401, "ERR_UNAUTHORIZED", "expected a token"));
  const setting = await settingOf(t, home);
  await wrkst(["login"], { ...setting, browse: agree(home) });
  const byEnvironment = { ...setting, env: { WRKST_URL: home.url, WRKST_TOKEN: "wrkst_secret" } };
  for (const from of [setting, byEnvironment]) {
    const { code, err } = await wrkst(["whoami", "--url", other.url], from);
    assert.equal(code, 1);
    assert.match(err, /wrkst login/);
  }
  assert.deepEqual(
    other.requests.map(({ authorization }) => authorization),
    [undefined, undefined],
  );
});

test("keeps what two commands write at the same time", async (t) => {
  const server = await serve();
  t.after(() => server.close());
  server.on("GET /api/v1/whoami", () => envelope(null));
  const setting = await settingOf(t, server);
  const urls = [1, 2, 3, 4, 5, 6].map((port) => `http://127.0.0.1:${port}`);
  await Promise.all(urls.map((url) => wrkst(["config", "set-url", url], setting)));
  assert.ok(urls.includes((await configOf(setting)).url));
  assert.equal((await wrkst(["config", "get"], setting)).code, 0);
});

test("ends cleanly when it is interrupted while it waits for the browser", async (t) => {
  const server = await serveLogin(t);
  const setting = await settingOf(t, server);
  const interrupt = new AbortController();
  const browse = async () => {
    interrupt.abort();
    return true;
  };
  const { code, err } = await wrkst(["login"], { ...setting, browse, signal: interrupt.signal });
  assert.equal(code, 130);
  assert.doesNotMatch(err, /error/);
});
