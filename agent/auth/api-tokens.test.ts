import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { NO_ACCESS, newAuth } from "./testing/new-auth.js";

const DAY = 86_400_000;
const wanted = { name: "ci", scopes: ["read" as const, "deploy" as const], expiresAt: null, account: "main" };
const bearer = (secret: string) => `Bearer ${secret}`;

/** Makes an account "ann". */
const RULE = { issuer: "https://ci.example.com", audience: "wrkst", claims: { repository: "a/b" }, account: "ann" };
const ANN = { settings: { ...NO_ACCESS, ciRules: [{ ...RULE, scopes: ["deploy" as const] }] } };

test("an API token is its owner with fewer scopes, bound to one account (A4)", async (t) => {
  const { auth, admin } = await newAuth(t, ANN);
  const { token, secret } = auth.tokens.create(admin, { ...wanted, account: "ann" });
  assert.match(secret, /^wrkst_[\w-]{43}$/);
  const found = await auth.authenticate(bearer(secret), "192.0.2.1");
  assert.deepEqual(
    { ...found, name: undefined },
    {
      subject: "admin",
      name: undefined,
      email: null,
      role: "admin",
      account: "ann",
      scopes: ["read", "deploy"],
      isBound: true,
      credential: { kind: "api-token", id: token.id },
    },
  );
});

test("an API token ends when it expires, and is gone with all it made when it is revoked (A4, A5)", async (t) => {
  const { auth, admin, clock } = await newAuth(t);
  const first = auth.tokens.create(admin, { ...wanted, expiresAt: clock.now + DAY });
  const holder = await auth.authenticate(bearer(first.secret), "192.0.2.1");
  assert.throws(() => auth.tokens.create(holder!, wanted), { code: "ERR_FORBIDDEN" });
  const second = auth.tokens.create(holder!, { ...wanted, expiresAt: clock.now + DAY });
  assert.ok(await auth.authenticate(bearer(second.secret), "192.0.2.1"));
  auth.tokens.revoke(first.token);
  for (const { secret } of [first, second])
    assert.equal(await auth.authenticate(bearer(secret), "192.0.2.1"), undefined);
  const third = auth.tokens.create(admin, { ...wanted, expiresAt: clock.now + DAY });
  clock.now += DAY;
  assert.equal(await auth.authenticate(bearer(third.secret), "192.0.2.1"), undefined);
});

test("an API token makes none with more scopes or for another account than its own (A4)", async (t) => {
  const { auth, admin } = await newAuth(t, ANN);
  const { secret } = auth.tokens.create(admin, { ...wanted, account: "ann" });
  const holder = (await auth.authenticate(bearer(secret), "192.0.2.1"))!;
  for (const more of [{ account: "main" }, { scopes: ["admin" as const] }, { scopes: ["git" as const] }]) {
    assert.throws(() => auth.tokens.create(holder, { ...wanted, account: "ann", ...more }), { code: "ERR_FORBIDDEN" });
  }
  assert.equal(auth.tokens.create(holder, { ...wanted, account: "ann" }).token.parent, holder.credential.id);
});

test("remembers when a token was used last, at most once a minute", async (t) => {
  const { auth, admin, clock } = await newAuth(t);
  const { secret } = auth.tokens.create(admin, wanted);
  const use = async () => {
    await auth.authenticate(bearer(secret), "192.0.2.1");
    return auth.tokens.list(admin)[0]?.lastUsedAt;
  };
  const first = clock.now;
  assert.equal(await use(), first);
  clock.now += 59_999;
  assert.equal(await use(), first);
  clock.now += 1;
  assert.equal(await use(), first + 60_000);
});

test("keeps no token, only digests (A4)", async (t) => {
  const { auth, admin, registryFile } = await newAuth(t);
  const { secret } = auth.tokens.create(admin, wanted);
  for (const file of [registryFile, `${registryFile}-wal`]) {
    assert.ok(!readFileSync(file).includes(secret.slice(6)), file);
  }
});

test("counts failures per address and per account, and never refuses what is valid (A8)", async (t) => {
  const { auth, admin, clock } = await newAuth(t);
  const good = auth.tokens.create(admin, wanted);
  const expired = auth.tokens.create(admin, { ...wanted, expiresAt: clock.now });
  for (let i = 0; i < 30; i++) {
    assert.equal(await auth.authenticate("Bearer wrong", "192.0.2.1"), undefined);
    assert.equal(await auth.authenticate(bearer(expired.secret), `198.51.100.${i}`), undefined);
  }
  await assert.rejects(auth.authenticate("Bearer wrong", "192.0.2.1"), { code: "ERR_RATE_LIMITED" });
  await assert.rejects(auth.authenticate(bearer(expired.secret), "203.0.113.1"), { code: "ERR_RATE_LIMITED" });
  assert.equal(await auth.authenticate("Bearer wrong", "192.0.2.2"), undefined);
  assert.ok(await auth.authenticate(bearer(good.secret), "192.0.2.1"));
  clock.now += 60_001;
  assert.equal(await auth.authenticate("Bearer wrong", "192.0.2.1"), undefined);
});
