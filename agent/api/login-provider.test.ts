import assert from "node:assert/strict";
import { test } from "node:test";
import { generateKeyPair } from "jose";
import { authorizationUrl, type Forged, logIn, logInAtProvider } from "../auth/testing/provider.js";
import { askedPage, newBrowser, serveLogin } from "./test-login.js";

const now = () => Math.floor(Date.now() / 1000);
const { privateKey: ownKey } = await generateKeyPair("RS256");

const forgeries: [string, (token: Forged) => Forged][] = [
  ["of another issuer", ({ claims, header }) => ({ claims: { ...claims, iss: "https://other.example" }, header })],
  ["for another audience", ({ claims, header }) => ({ claims: { ...claims, aud: "another" }, header })],
  [
    "for several parties but us",
    ({ claims, header }) => ({ claims: { ...claims, aud: ["a", "b"], azp: "a" }, header }),
  ],
  ["with another nonce", ({ claims, header }) => ({ claims: { ...claims, nonce: "another" }, header })],
  ["without nonce", ({ claims: { nonce: _, ...claims }, header }) => ({ claims, header })],
  ["that has expired", ({ claims, header }) => ({ claims: { ...claims, iat: now() - 900, exp: now() - 600 }, header })],
  ["without expiry", ({ claims: { exp: _, ...claims }, header }) => ({ claims, header })],
  ["without subject", ({ claims: { sub: _, ...claims }, header }) => ({ claims, header })],
  ["signed by another key", (token) => ({ ...token, key: ownKey })],
  ["signed by a key of another name", ({ claims, header }) => ({ claims, header: { ...header, kid: "another" } })],
  [
    "signed with a secret that everybody knows",
    ({ claims, header }) => ({
      claims,
      header: { ...header, alg: "HS256" },
      key: new TextEncoder().encode("x".repeat(32)),
    }),
  ],
];

test("takes no ID token that is forged, expired, or meant for somebody else (A3)", async (t) => {
  const { publicUrl, provider, registry } = await serveLogin(t);
  for (const [name, forge] of forgeries) {
    provider.forge = forge;
    const { page } = await askedPage({ publicUrl, person: "ann" });
    assert.equal(page.status, 502, `${name}: ${page.text}`);
  }
  assert.deepEqual(registry.access.users(), []);
  provider.forge = (token) => token;
  await logIn({ publicUrl, person: "ann" });
});

test("identity is issuer and subject: another address keeps the account, another subject gets its own (A3)", async (t) => {
  const people = { ann: { email: "ann.lee@example.com", email_verified: true } as Record<string, unknown> };
  const { publicUrl, ask } = await serveLogin(t, {}, { people });
  const accountOf = async (person: string) =>
    (await ask("/api/v1/whoami", { token: (await logIn({ publicUrl, person })).access_token })).json.account;
  assert.equal(await accountOf("ann"), "ann-lee");
  people.ann.email = "ann.miller@example.com";
  assert.equal(await accountOf("ann"), "ann-lee");
  Object.assign(people, { other: { email: "ann.lee@example.com", email_verified: true } });
  assert.equal(await accountOf("other"), "ann-lee-2");
  Object.assign(people, { third: { email: "main@example.com", email_verified: true } });
  assert.equal(await accountOf("third"), "main-2");
});

test("a provider that is down stops logins with a clear answer, and nothing else; then logins work again (A2)", async (t) => {
  const { publicUrl, provider, ask } = await serveLogin(t);
  await provider.stop();
  const url = authorizationUrl({ publicUrl, person: "ann" }, "v".repeat(43));
  const { status, json } = await ask(`${url.pathname}${url.search}`, { token: null });
  assert.deepEqual([status, json.error], [502, "temporarily_unavailable"]);
  assert.match(String(json.error_description), new RegExp(`login by "${provider.issuer}" does not work`));
  assert.equal((await ask("/api/v1/whoami")).status, 200);
  await provider.start();
  const tokens = await logIn({ publicUrl, person: "ann" });
  await provider.stop();
  assert.equal((await ask("/api/v1/whoami", { token: tokens.access_token })).status, 200);
});

test("a provider that goes down between question and answer ends that login only", async (t) => {
  const { publicUrl, provider } = await serveLogin(t);
  const browser = newBrowser();
  browser.stopAt = (at) => at.pathname === "/auth/callback";
  const { url } = await logInAtProvider(browser, authorizationUrl({ publicUrl, person: "ann" }, "v".repeat(43)), "ann");
  await provider.stop();
  const answer = await browser.open(url);
  assert.equal(answer.status, 502);
  assert.match(answer.text, /does not work/);
  await provider.start();
  await logIn({ publicUrl, person: "ann" });
});

test("the provider may change its keys at any moment (A3)", async (t) => {
  const { publicUrl, provider } = await serveLogin(t);
  for (let round = 0; round < 3; round++) {
    await logIn({ publicUrl, person: "ann" });
    await provider.rotateKeys();
  }
});

test("what the provider refuses is told, and leads nowhere", async (t) => {
  const { publicUrl } = await serveLogin(t);
  const browser = newBrowser();
  browser.stopAt = (at) => /\/interaction\//.test(at.pathname);
  const { url } = await browser.open(authorizationUrl({ publicUrl, person: "ann" }, "v".repeat(43)));
  browser.stopAt = () => false;
  const page = await browser.open(`${url.origin}${url.pathname}/abort`);
  assert.equal(page.status, 403);
  assert.match(page.text, /access_denied/);
});

for (const authentication of ["client_secret_basic", "client_secret_post", "none"] as const) {
  test(`is a client by ${authentication}`, async (t) => {
    const { publicUrl } = await serveLogin(t, {}, { authentication });
    await logIn({ publicUrl, person: "ann" });
  });
}

test("four endpoints stand in for discovery", async (t) => {
  const { publicUrl, provider } = await serveLogin(t, ({ issuer, settings }) => {
    const endpoints = { token: `${issuer}/token`, userinfo: `${issuer}/me`, jwks: `${issuer}/jwks` };
    return { provider: { ...settings, endpoints: { authorization: `${issuer}/auth`, ...endpoints } } };
  });
  await logIn({ publicUrl, person: "ann" });
  assert.ok(!provider.requests.some((request) => request.includes("/.well-known/")));
  provider.forge = ({ claims, header }) => ({ claims: { ...claims, iss: "https://other.example" }, header });
  assert.equal((await askedPage({ publicUrl, person: "bob" })).page.status, 502);
});
