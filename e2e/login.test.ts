// Login as people meet it: the stock wrangler and a real provider, over workerd's public port.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { Browser } from "../agent/auth/testing/browser.js";
import { logIn, logInAtProvider, startProvider } from "../agent/auth/testing/provider.js";
import { WRANGLER } from "../agent/bundle/test-wrangler.js";
import { createRepository, freePort, functionFiles, startAgent, until } from "./harness.js";

const port = await freePort();
const publicUrl = `http://localhost:${port}`;
const provider = await startProvider({ redirectUri: `${publicUrl}/auth/callback` });
const env = { ...provider.environment, OIDC_ALLOW: "email:*@example.com", OIDC_ADMINS: "email:root@example.com" };
const agent = await startAgent({ port, env });
const home = await mkdtemp(join(tmpdir(), "wrkst-wrangler-"));
after(async () => {
  await agent.stop();
  await provider.close();
  await rm(home, { recursive: true, force: true });
});

const CONFIG = join(home, "config/.wrangler/config/default.toml");

/** The unmodified client, with nothing but addresses in its environment. */
function wrangler(...args: string[]) {
  const child = spawn(process.execPath, [...WRANGLER, ...args], {
    cwd: home,
    env: {
      PATH: process.env.PATH,
      HOME: home,
      XDG_CONFIG_HOME: join(home, "config"),
      CLOUDFLARE_API_BASE_URL: `${publicUrl}/client/v4`,
      WRANGLER_AUTH_URL: `${publicUrl}/oauth2/auth`,
      WRANGLER_TOKEN_URL: `${publicUrl}/oauth2/token`,
      WRANGLER_REVOKE_URL: `${publicUrl}/oauth2/revoke`,
      WRANGLER_AUTH_DOMAIN: `localhost:${port}`,
      WRANGLER_SEND_METRICS: "false",
      WRANGLER_LOG_SANITIZE: "false",
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (output += chunk));
  const ended = once(child, "close").then(([code]) => ({ code, output }));
  return { child, output: () => output, ended };
}

const stored = async (name: string) =>
  new RegExp(`^${name} = "([^"]+)"`, "m").exec(await readFile(CONFIG, "utf8"))?.[1] ?? "";
const ask = (token: string, path = "/api/v1/whoami") =>
  agent.request("localhost", path, { headers: { authorization: `Bearer ${token}` } });

test("the stock wrangler logs in, is who it is, refreshes and logs out (A1, A4, A5)", async () => {
  await mkdir(join(home, ".config"), { recursive: true });
  const login = wrangler("login", "--browser=false");
  let address = "";
  await until("wrangler waits for the browser", () => {
    address = /Visit this link to authenticate: (\S+)/.exec(login.output())?.[1] ?? "";
    return address !== "" || login.child.exitCode !== null;
  });
  assert.ok(address.startsWith(`${publicUrl}/oauth2/auth?`), login.output());
  const browser = new Browser((url) => url.hostname === "welcome.developers.workers.dev");
  const question = await logInAtProvider(browser, address, "ann");
  assert.match(question.text, /<dd>wrangler<\/dd>/);
  const landed = await browser.submit(question, { decision: "allow" });
  assert.equal(landed.url.pathname, "/wrangler-oauth-consent-granted", landed.text);
  const { code, output } = await login.ended;
  assert.equal(code, 0, output);
  assert.match(output, /Successfully logged in/);

  const first = { access: await stored("oauth_token"), refresh: await stored("refresh_token") };
  const who = JSON.parse((await ask(first.access)).text);
  assert.deepEqual([who.account, who.role, who.scopes], ["ann", "deployer", ["read", "deploy"]]);

  const whoami = await wrangler("whoami").ended;
  assert.equal(whoami.code, 0, whoami.output);
  assert.match(whoami.output, /ann@example\.com/);
  assert.doesNotMatch(whoami.output, /missing|expired/i);

  const text = await readFile(CONFIG, "utf8");
  await writeFile(CONFIG, text.replace(/^expiration_time = .*$/m, 'expiration_time = "2020-01-01T00:00:00.000Z"'));
  const refreshed = await wrangler("whoami").ended;
  assert.match(refreshed.output, /ann@example\.com/, refreshed.output);
  const second = { access: await stored("oauth_token"), refresh: await stored("refresh_token") };
  assert.notEqual(second.refresh, first.refresh);
  assert.equal((await ask(second.access)).status, 200);

  const logout = await wrangler("logout").ended;
  assert.equal(logout.code, 0, logout.output);
  assert.equal((await ask(second.access)).status, 401);
  for (const secret of [first.access, first.refresh, second.access, second.refresh]) {
    assert.ok(!agent.output().includes(secret));
  }
});

test("a login outlives the agent's restart, and the agent starts without its provider (A2, A6)", async (t) => {
  const dataDir = await mkdtemp(join(tmpdir(), "wrkst-login-"));
  t.after(() => rm(dataDir, { recursive: true, force: true }));
  const ownPort = await freePort();
  const url = `http://localhost:${ownPort}`;
  const own = await startProvider({ redirectUri: `${url}/auth/callback` });
  t.after(() => own.close());
  const options = { port: ownPort, dataDir, env: { ...own.environment, OIDC_ALLOW: "*" } };
  const before = await startAgent(options);
  const { access_token } = await logIn({ publicUrl: url, person: "ann" });
  await before.kill();
  await own.stop();
  const again = await startAgent(options);
  t.after(() => again.stop());
  const headers = { authorization: `Bearer ${access_token}` };
  assert.equal((await again.request("localhost", "/api/v1/whoami", { headers })).status, 200);
  assert.equal((await again.request("localhost", "/api/v1/status", { headers })).status, 200);
});

test("git pushes with a token of the scope git, and with no other (A4, A7)", async (t) => {
  const repository = await createRepository();
  t.after(() => repository.remove());
  await repository.commit(functionFiles("pushed", "by token"));
  const make = async (scopes: string[]) => {
    const made = await agent.api<{ token: string }>("/api/v1/tokens", {
      method: "POST",
      body: JSON.stringify({ name: "push", scopes }),
    });
    return made.token;
  };
  const pushWith = (token: string) =>
    repository.push({ ...agent, remote: async () => `http://x:${token}@localhost:${port}/git/functions.git` });
  const { access_token } = await logIn({ publicUrl, person: "ann", scope: "read deploy git" });
  for (const token of [await make(["read", "deploy"]), access_token, "wrkst_unknown"]) {
    assert.equal((await pushWith(token)).ok, false);
  }
  const pushed = await pushWith(await make(["git"]));
  assert.equal(pushed.ok, true, pushed.output);
  assert.equal((await agent.request("pushed")).text, "by token");
});

test("a placeholder for a key stops the start (A6)", async () => {
  await assert.rejects(
    startAgent({ env: { JWT_SECRET: "change-me-change-me-change-me-change-me" } }),
    /JWT_SECRET: expected/,
  );
});

test("the pages answer on the platform's host only (B4, B9)", async () => {
  assert.equal((await agent.request("localhost", "/device")).status, 200);
  for (const host of ["127.0.0.1", "evil.example", "hello.localhost"]) {
    assert.notEqual((await agent.request(host, "/device")).status, 200, host);
  }
});
