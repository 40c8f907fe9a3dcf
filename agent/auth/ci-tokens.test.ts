import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { generateKeyPair } from "jose";
import type { CiRule } from "../model-access.js";
import { startIssuer } from "./testing/ci-issuer.js";
import { NO_ACCESS, newAuth } from "./testing/new-auth.js";

async function newTrust(t: TestContext, change: Partial<CiRule> = {}) {
  const issuer = await startIssuer(t);
  const rule: CiRule = {
    issuer: issuer.url,
    audience: "wrkst",
    claims: { repository: "acme/fns", ref: "refs/heads/*" },
    account: "main",
    scopes: ["deploy"],
    ...change,
  };
  const { auth } = await newAuth(t, { settings: { ...NO_ACCESS, ciRules: [rule] }, cooldown: 0 });
  let address = 0;
  const identify = (token: string) => auth.authenticate(`Bearer ${token}`, `192.0.2.${address++ % 250}`);
  return { ...issuer, identify };
}

test("a CI issuer's token acts on the account of the rule, with its scopes, and on no other (A9)", async (t) => {
  const { identify, sign, url } = await newTrust(t);
  assert.deepEqual(await identify(await sign({ jti: "j" })), {
    subject: `ci:${url}:repo:acme/fns:ref:refs/heads/main`,
    name: "repo:acme/fns:ref:refs/heads/main",
    email: null,
    role: "deployer",
    account: "main",
    scopes: ["deploy"],
    isBound: true,
    credential: { kind: "ci-token", id: "j" },
  });
});

test("without a rule no issuer is believed, nor asked for anything (A9)", async (t) => {
  const issuer = await startIssuer(t);
  const { auth } = await newAuth(t);
  assert.equal(await auth.authenticate(`Bearer ${await issuer.sign()}`, "192.0.2.1"), undefined);
  assert.equal(issuer.asked(), 0);
});

test("a CI issuer's token is refused unless all it says fits the rule (A9)", async (t) => {
  const { identify, sign } = await newTrust(t);
  const { privateKey } = await generateKeyPair("RS256");
  const past = Math.floor(Date.now() / 1000) - 600;
  const bad: [string, Promise<string>][] = [
    ["another repository", sign({ repository: "acme/other" })],
    ["a repository that only ends like it", sign({ repository: "evil/acme/fns" })],
    ["no repository", sign({ repository: undefined })],
    ["a tag", sign({ ref: "refs/tags/v1" })],
    ["a branch with a slash, which one star does not cover", sign({ ref: "refs/heads/a/b" })],
    ["another issuer", sign({ iss: "https://other.example" })],
    ["another audience", sign({ aud: "other" })],
    ["no audience", sign({ aud: undefined })],
    ["expired", sign({ exp: past })],
    ["without expiry", sign({ exp: undefined })],
    ["not yet good", sign({ nbf: past + 1200 })],
    ["signed by another key", sign({}, privateKey)],
    ["signed with a secret", sign({}, new TextEncoder().encode("x".repeat(32)), "HS256")],
  ];
  for (const [name, token] of bad) assert.equal(await identify(await token), undefined, name);
  for (const text of ["a.b.c", "..", `${"x".repeat(20_000)}.y.z`, "e30.e30.e30"])
    assert.equal(await identify(text), undefined);
  assert.ok(await identify(await sign()));
});

const patterns: [string, unknown, boolean][] = [
  ["acme/fns", "acme/fns", true],
  ["acme/*", "acme/fns", true],
  ["acme/*", "acme/fns/x", false],
  ["acme/*", "acme/fns:ref", false],
  ["repo:acme/fns:**", "repo:acme/fns:ref:refs/heads/a/b", true],
  ["repo:acme/*:ref:refs/heads/main", "repo:acme/x:ref:refs/heads/evil:ref:refs/heads/main", false],
  ["my-org/my-fns", "my-org/my-fns", true],
  ["(a+b)[c]", "(a+b)[c]", true],
  ["a.me", "acme", false],
  ["true", true, true],
  ["7", 7, true],
  ["devs", ["ops", "devs"], true],
  ["dev", ["ops", "devs"], false],
  ["*", {}, false],
];

test("patterns of claims: a star stays within a segment, two stars cross them, nothing else is special (A9)", async (t) => {
  for (const [pattern, value, expected] of patterns) {
    const { identify, sign } = await newTrust(t, { claims: { claim: pattern } });
    assert.equal(
      (await identify(await sign({ claim: value }))) !== undefined,
      expected,
      `${pattern} ${JSON.stringify(value)}`,
    );
  }
});

test("an issuer may change its keys; one that is down is said to be (A9)", async (t) => {
  const { identify, sign, rotate, state } = await newTrust(t);
  assert.ok(await identify(await sign()));
  await rotate();
  assert.ok(await identify(await sign()));
  state.down = true;
  await rotate();
  await assert.rejects(identify(await sign()), { code: "ERR_LOGIN_PROVIDER" });
});

test("an issuer that is down, or calls itself something else, is asked again later (A9)", async (t) => {
  const { identify, sign, state, url } = await newTrust(t);
  state.down = true;
  const token = await sign();
  await assert.rejects(identify(token), { code: "ERR_LOGIN_PROVIDER" });
  state.down = false;
  state.issuer = "https://other.example";
  await assert.rejects(identify(token), { code: "ERR_LOGIN_PROVIDER" });
  state.issuer = url;
  assert.ok(await identify(token));
});

test("the scope git makes a CI job an administrator of its account, who makes no tokens (A9)", async (t) => {
  const issuer = await startIssuer(t);
  const rule: CiRule = {
    issuer: issuer.url,
    audience: "wrkst",
    claims: { repository: "acme/*" },
    account: "main",
    scopes: ["git"],
  };
  const { auth } = await newAuth(t, { settings: { ...NO_ACCESS, ciRules: [rule] } });
  const identity = await auth.authenticate(`Bearer ${await issuer.sign()}`, "192.0.2.1");
  assert.equal(identity?.role, "admin");
  const wanted = { name: "x", scopes: ["git" as const], account: "main", expiresAt: null };
  assert.throws(() => auth.tokens.create(identity!, wanted), { code: "ERR_FORBIDDEN" });
});
