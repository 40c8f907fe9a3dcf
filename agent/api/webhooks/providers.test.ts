import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { after, test } from "node:test";
import { startIssuer } from "../../auth/testing/ci-issuer.js";
import { NO_ACCESS } from "../../auth/testing/new-auth.js";
import { type Ask, serveApi } from "../testing.js";
import { PROVIDER_NAMES, type ProviderName, providerOf } from "./providers.js";
import { EXAMPLES, type Example, headersFor, SECRETS, standardHeaders } from "./testing.js";

const SECRET = SECRETS.plain;
const served = await serveApi({}, { webhookSecret: SECRET });
after(() => served.close());

async function effect(served: Served, provider: string, request: Omit<Ask, "method">) {
  served.pass(60_001);
  const before = served.platform.syncs.length;
  const { status, json } = await served.ask(`/webhooks/default/${provider}`, {
    method: "POST",
    token: null,
    ...request,
  });
  const syncs = served.platform.syncs.slice(before);
  return { status, code: json.code ?? json.result ?? null, goals: syncs.map(({ goal }) => goal ?? null) };
}
type Served = typeof served;

const nothing = (status: number, code: string) => ({ status, code, goals: [] });

for (const example of EXAMPLES) {
  const { provider, title } = example;
  const request = (change: Partial<Example> = {}) => {
    const sent = { ...example, ...change };
    const headers = headersFor(sent, SECRET, served.now());
    return { headers, ...(sent.body === "" ? {} : { body: sent.body }) };
  };

  test(`${title}: a signed delivery wakes the source, and a second one of the same id does nothing (C3)`, async () => {
    const wakes = example.wakes === undefined ? [] : [example.wakes];
    const first = request();
    const accepted = wakes.length ? { status: 202, code: null } : { status: 200, code: "ignored" };
    assert.deepEqual(await effect(served, provider, first), { ...accepted, goals: wakes });
    const again = { ...first, headers: headersFor(example, SECRET, served.now(), first.headers) };
    if (example.idHeader) assert.deepEqual(await effect(served, provider, again), nothing(200, "seen"));
  });
}

/** One example of each provider that has a secret, to be changed. */
const bases = EXAMPLES.filter(
  ({ provider, body }, at) => body !== "" && EXAMPLES.findIndex((one) => one.provider === provider) === at,
);

test("the examples are of every provider with a secret", () => {
  const expected = PROVIDER_NAMES.filter((name) => providerOf(name)?.proof.kind === "secret");
  assert.deepEqual(bases.map(({ provider }) => provider).sort(), expected.sort());
});

for (const base of bases) {
  const { provider, proofHeader } = base;
  const headers = (change: Record<string, string | undefined> = {}, body = base.body) => {
    const all = { ...headersFor({ ...base, body }, SECRET, served.now()), ...change };
    return Object.fromEntries(Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined));
  };
  const own = headers()[proofHeader] ?? "";
  const others = bases.filter((one) => one.provider !== provider);
  const tampered = base.body.replace("a", "b");
  const mutations: [string, () => Omit<Ask, "method">, number, string][] = [
    ["another secret", () => ({ headers: headersFor(base, "guess", served.now()), body: base.body }), 401, "SIGNATURE"],
    ["no proof", () => ({ headers: headers({ [proofHeader]: undefined }), body: base.body }), 401, "SIGNATURE"],
    [
      "a proof cut short",
      () => ({ headers: headers({ [proofHeader]: own.slice(0, -2) }), body: base.body }),
      401,
      "SIGNATURE",
    ],
    ["an empty proof", () => ({ headers: headers({ [proofHeader]: "" }), body: base.body }), 401, "SIGNATURE"],
    ["a body that is no JSON under a right proof", () => ({ headers: headers({}, "{"), body: "{" }), 400, "INVALID"],
    [
      "a body of another shape under a right proof",
      () => ({ headers: headers({}, "[1]"), body: "[1]" }),
      400,
      "INVALID",
    ],
    [
      "another content type",
      () => ({ headers: headers({ "content-type": "text/plain" }), body: base.body }),
      400,
      "INVALID",
    ],
    [
      "a body that is declared too large",
      () => ({ headers: headers({ "content-length": String(25 * 2 ** 20 + 1) }) }),
      413,
      "TOO_LARGE",
    ],
  ];
  if (base.signsBody) {
    mutations.push(
      ["one letter of the body changed", () => ({ headers: headers(), body: tampered }), 401, "SIGNATURE"],
      ["a body cut short", () => ({ headers: headers(), body: base.body.slice(0, -1) }), 401, "SIGNATURE"],
    );
  }
  if (base.idHeader && base.needsId) {
    const idHeader = base.idHeader;
    mutations.push([
      "no id of the delivery",
      () => ({ headers: headers({ [idHeader]: undefined }), body: base.body }),
      base.signsId ? 401 : 400,
      base.signsId ? "SIGNATURE" : "INVALID",
    ]);
  }
  test(`${provider} refuses what is not as it must be, and does nothing (C3)`, async (t) => {
    for (const [name, change, status, code] of mutations) {
      await t.test(name, async () => {
        assert.deepEqual(
          await effect(served, provider, change()),
          nothing(status, `ERR_${code === "SIGNATURE" ? "WEBHOOK_SIGNATURE" : code}`),
        );
      });
    }
  });
  test(`what ${provider} sends proves nothing to another provider (C3)`, async () => {
    for (const other of others) {
      if (other.proofHeader === proofHeader) continue;
      const { code, goals } = await effect(served, other.provider, { headers: headers(), body: base.body });
      // GitLab signs as the standard says, but names its event beside.
      const isKin = provider === "standard" && other.provider === "gitlab";
      const expected = isKin ? "ERR_INVALID" : "ERR_WEBHOOK_SIGNATURE";
      assert.deepEqual([other.provider, code, goals], [other.provider, expected, []]);
    }
  });
}

test("gitea's and forgejo's own header counts, whatever the headers of their ancestors say (C3)", async () => {
  const body = EXAMPLES.find(({ provider }) => provider === "forgejo")!.body;
  const right = createHmac("sha256", SECRET).update(body).digest("hex");
  const wrong = "0".repeat(64);
  const all = (forgejo: string, gitea: string) => ({
    body,
    headers: {
      "content-type": "application/json",
      "x-forgejo-event": "push",
      "x-forgejo-delivery": "mixed",
      "x-forgejo-signature": forgejo,
      "x-gitea-event": "push",
      "x-gitea-delivery": "mixed",
      "x-gitea-signature": gitea,
    },
  });
  assert.equal((await effect(served, "forgejo", all(wrong, right))).status, 401);
  assert.equal((await effect(served, "gitea", all(right, wrong))).status, 401);
  assert.equal((await effect(served, "forgejo", all(right, wrong))).status, 202);
});

test("gitlab's signature must be right when it is there, whatever the token says (C3)", async () => {
  const { body, headers } = EXAMPLES.find(({ provider }) => provider === "gitlab")!;
  const token = { ...headers, "x-gitlab-token": SECRET, "content-type": "application/json" };
  const signed = standardHeaders(body, "guess", "forged", served.now());
  assert.equal((await effect(served, "gitlab", { body, headers: { ...token, ...signed } })).status, 401);
  const right = standardHeaders(body, SECRET, "right", served.now());
  assert.equal((await effect(served, "gitlab", { body, headers: { ...token, ...right } })).status, 202);
});

test("a Standard Webhook counts for five minutes, under any of its signatures, and only as v1 (C3)", async () => {
  const { body } = EXAMPLES.find(({ provider }) => provider === "standard")!;
  const send = (at: number, change: (signature: string) => string = (one) => one) => {
    const signed = standardHeaders(body, SECRET, `at-${at}-${change("x").length}`, at);
    const signature = change(signed["webhook-signature"] ?? "");
    const headers = { "content-type": "application/json", ...signed, "webhook-signature": signature };
    return effect(served, "standard", { body, headers });
  };
  // The clock goes on by a minute before each.
  assert.equal((await send(served.now() - 3 * 60_000)).status, 202);
  assert.equal((await send(served.now() - 6 * 60_000)).status, 401);
  assert.equal((await send(served.now() + 7 * 60_000)).status, 401);
  const other = `v1,${Buffer.alloc(32).toString("base64")}`;
  assert.equal((await send(served.now(), (one) => `${other} ${one}`)).status, 202);
  assert.equal((await send(served.now(), (one) => `${other} v2,${one.slice(3)}`)).status, 401);
  assert.equal((await send(served.now(), () => other)).status, 401);
});

test("the time and the id of a Standard Webhook are signed with it (C3)", async () => {
  const { body } = EXAMPLES.find(({ provider }) => provider === "standard")!;
  for (const change of [
    { "webhook-id": "another" },
    { "webhook-timestamp": String(Math.floor(served.now() / 1000) + 1) },
  ]) {
    const headers = {
      "content-type": "application/json",
      ...standardHeaders(body, SECRET, "one", served.now()),
      ...change,
    };
    assert.deepEqual(await effect(served, "standard", { body, headers }), nothing(401, "ERR_WEBHOOK_SIGNATURE"));
  }
});

test("signs as the example of the Standard Webhooks specification does", () => {
  const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
  const body = Buffer.from('{"test": 2432232314}');
  const headers = {
    "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook-timestamp": "1614265330",
    "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
  };
  const { proof } = providerOf("standard")!;
  assert.ok(proof.kind === "secret");
  const verifier = proof.verifier(headers, secret, 1614265330_000);
  verifier.update(body);
  assert.equal(verifier.isRight(), true);
});

test("a secret of the form whsec_ is a key in base64 where signatures follow the standard, and plain text elsewhere", async () => {
  const secret = SECRETS.whsec;
  const served = await serveApi({}, { webhookSecret: secret });
  try {
    for (const provider of ["standard", "github"] as ProviderName[]) {
      const example = EXAMPLES.find((one) => one.provider === provider)!;
      const headers = headersFor(example, secret, served.now());
      assert.equal((await effect(served, provider, { headers, body: example.body })).status, 202, provider);
    }
  } finally {
    await served.close();
  }
});

test("a CI job's token wakes the source under a rule that lets it deploy there, and no other token does (A9, C3)", async (t) => {
  const issuer = await startIssuer(t);
  const rule = { issuer: issuer.url, audience: "wrkst", claims: { repository: "acme/fns" } };
  const ciRules = [
    { ...rule, account: "main", scopes: ["deploy" as const] },
    { ...rule, claims: { repository: "acme/other" }, account: "other", scopes: ["deploy" as const] },
    { ...rule, claims: { repository: "acme/reader" }, account: "main", scopes: ["read" as const] },
  ];
  const served = await serveApi({}, { webhookSecret: SECRET, access: { ...NO_ACCESS, ciRules } });
  try {
    const send = async (authorization: string | undefined, body?: string) => {
      const headers = { "content-type": "application/json", ...(authorization ? { authorization } : {}) };
      return effect(served, "oidc", { headers, ...(body === undefined ? {} : { body }) });
    };
    const token = async (change: Record<string, unknown> = {}) =>
      `Bearer ${await issuer.sign({ exp: Math.floor(served.now() / 1000) + 300, ...change })}`;
    assert.deepEqual(await send(await token()), { status: 202, code: null, goals: [null] });
    assert.equal(served.platform.syncs.at(-1)?.author, "repo:acme/fns:ref:refs/heads/main");
    const commit = "c".repeat(40);
    assert.deepEqual((await send(await token(), JSON.stringify({ ref: "main", commit }))).goals, [commit]);
    assert.deepEqual(await send(undefined), nothing(401, "ERR_UNAUTHORIZED"));
    assert.deepEqual(await send(await token({ repository: "evil/fns" })), nothing(401, "ERR_UNAUTHORIZED"));
    assert.deepEqual(await send(await token({ exp: 1000 })), nothing(401, "ERR_UNAUTHORIZED"));
    assert.deepEqual(await send(await token({ repository: "acme/other" })), nothing(403, "ERR_FORBIDDEN"));
    assert.deepEqual(await send(await token({ repository: "acme/reader" })), nothing(403, "ERR_FORBIDDEN"));
    assert.deepEqual(await send(`Bearer ${served.token}`), nothing(401, "ERR_UNAUTHORIZED"));
    assert.deepEqual(await send(await token(), "x".repeat(70_000)), nothing(413, "ERR_TOO_LARGE"));
    assert.deepEqual(await send(await token(), "{"), nothing(400, "ERR_INVALID"));
  } finally {
    await served.close();
  }
});

test("a CI job's token is refused where there are no rules (A9)", async (t) => {
  const issuer = await startIssuer(t);
  const headers = { authorization: `Bearer ${await issuer.sign()}` };
  assert.deepEqual(await effect(served, "oidc", { headers }), nothing(401, "ERR_UNAUTHORIZED"));
});
