// Logging in with the command, against a real OpenID provider, as a person with a browser would.
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Browser } from "../agent/auth/testing/browser.js";
import { logInAtProvider, startProvider, type TestProvider } from "../agent/auth/testing/provider.js";
import { type Cli, createCli } from "./cli.js";
import { freePort, functionFiles, startAgent, type TestAgent } from "./harness.js";

let provider: TestProvider;
let agent: TestAgent;
let cli: Cli;
let url: string;

before(async () => {
  const port = await freePort();
  url = `http://localhost:${port}`;
  provider = await startProvider({ redirectUri: `${url}/auth/callback` });
  const env = { ...provider.environment, OIDC_ALLOW: "email:*@example.com", OIDC_ADMINS: "email:root@example.com" };
  agent = await startAgent({ port, env });
  cli = await createCli({ WRKST_URL: url });
});
after(async () => {
  await agent?.stop();
  await Promise.all([provider?.close(), cli?.remove()]);
});

/** The person's part: the provider's pages, and the word on ours. */
async function decide(page: string, person: string, decision: "allow" | "deny"): Promise<void> {
  const browser = new Browser();
  const question = await logInAtProvider(browser, page, person);
  assert.equal(question.status, 200, question.text);
  await browser.submit(question, { decision });
}

async function logIn(person: string): Promise<void> {
  const login = cli.start(["login"]);
  const [page] = await login.said(/http:\S+\/oauth2\/auth\?\S+/);
  await decide(page, person, "allow");
  const { code, err } = await login.ended();
  assert.equal(code, 0, err);
}

const configFile = () => join(cli.folder, "home/.config/wrkst/config.json");
const readConfig = async () => JSON.parse(await readFile(configFile(), "utf8"));
const whoami = () => cli.json<{ email: string; account: string; role: string }>(["whoami"]);

test("logs in with the browser, deploys to the own account, and logs out", async () => {
  await logIn("ann");
  assert.equal((await whoami()).email, "ann@example.com");
  await cli.write(functionFiles("annas", "by ann"));
  assert.equal((await cli.run(["deploy", "annas"])).code, 0);
  assert.equal((await agent.request("annas")).text, "by ann");
  const { login } = (await readConfig()).servers[url];
  assert.equal((await cli.run(["logout"])).code, 0);
  const out = await cli.run(["whoami"]);
  assert.equal(out.code, 1);
  assert.match(out.err, /hint: .*wrkst login/);
  const form = { grant_type: "refresh_token", client_id: "wrkst", refresh_token: login.refresh };
  const late = await fetch(`${url}/oauth2/token`, { method: "POST", body: new URLSearchParams(form) });
  assert.equal(late.status, 400);
});

test("says so when the person refuses", async () => {
  const login = cli.start(["login"]);
  const [page] = await login.said(/http:\S+\/oauth2\/auth\?\S+/);
  await decide(page, "ben", "deny");
  const { code, err } = await login.ended();
  assert.equal(code, 1);
  assert.match(err, /the login failed/);
});

test("several commands at once renew an ended token without ending the login [A4]", async () => {
  await logIn("cleo");
  const config = await readConfig();
  const before = config.servers[url].login;
  config.servers[url].login.expiresAt = 0;
  await writeFile(configFile(), JSON.stringify(config));
  const answers = await Promise.all([whoami(), whoami(), whoami()]);
  assert.deepEqual(new Set(answers.map(({ email }) => email)), new Set(["cleo@example.com"]));
  assert.notEqual((await readConfig()).servers[url].login.refresh, before.refresh);
  assert.equal((await whoami()).email, "cleo@example.com");
});

test("logs in on another machine by a code", async () => {
  const login = cli.start(["login", "--device"]);
  const [, page = ""] = await login.said(/or open (\S+)/);
  await decide(page, "dora", "allow");
  const { code, err } = await login.ended();
  assert.equal(code, 0, err);
  assert.equal((await whoami()).email, "dora@example.com");
});

test("an administrator sets roles, and what a viewer may not do is refused", async () => {
  await logIn("eve");
  const { account } = await whoami();
  await logIn("root");
  assert.equal((await whoami()).role, "admin");
  const set = await cli.json<{ role: string }>(["users", "set", account, "--role", "viewer"]);
  assert.equal(set.role, "viewer");
  await logIn("eve");
  await cli.write(functionFiles("eves", "by eve"));
  const refused = await cli.run(["deploy", "eves"]);
  assert.equal(refused.code, 1);
  assert.equal((await cli.run(["users", "list"])).code, 1);
  assert.equal((await cli.run(["status"])).code, 0);
});
