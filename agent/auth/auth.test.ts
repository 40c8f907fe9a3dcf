import assert from "node:assert/strict";
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { openAdminToken } from "./admin-token.js";
import { createAttempts } from "./attempts.js";
import { presentedToken } from "./presented.js";

const root = await mkdtemp(join(tmpdir(), "wrkst-auth-"));
after(() => rm(root, { recursive: true, force: true }));
const modeOf = async (path: string) => (await stat(path)).mode & 0o777;
const basic = (pair: string) => `Basic ${Buffer.from(pair).toString("base64")}`;

test("makes a token at the first start that only its owner reads, and keeps it", async () => {
  const folder = join(root, "first", "secrets");
  const { file = "" } = await openAdminToken({ folder, enabled: true });
  const token = await readFile(file, "utf8");
  assert.match(token, /^wrkst_[A-Za-z0-9_-]{43}\n$/);
  assert.deepEqual([await modeOf(folder), await modeOf(file)], [0o700, 0o600]);
  await chmod(file, 0o644);
  await openAdminToken({ folder, enabled: true });
  assert.deepEqual([await readFile(file, "utf8"), await modeOf(file)], [token, 0o600]);
});

test("refuses a file that holds no token", async () => {
  const folder = join(root, "short");
  const { file = "" } = await openAdminToken({ folder, enabled: true });
  await writeFile(file, "");
  await assert.rejects(openAdminToken({ folder, enabled: true }), { code: "ERR_CONFIG" });
});

test("refuses everything when it is off, and writes nothing", async () => {
  const folder = join(root, "off");
  const { file, matches } = await openAdminToken({ folder, enabled: false });
  assert.equal(file, undefined);
  assert.equal(matches(""), false);
  await assert.rejects(stat(folder), { code: "ENOENT" });
});

test("knows its token, and only it, in both schemes (A8)", async () => {
  const { file = "", matches } = await openAdminToken({ folder: join(root, "schemes"), enabled: true });
  const token = (await readFile(file, "utf8")).trim();
  const isKnown = (header: string | undefined) => matches(presentedToken(header) ?? "");
  for (const good of [`Bearer ${token}`, `bearer ${token}`, basic(`anyone:${token}`), basic(`:${token}`)]) {
    assert.equal(isKnown(good), true);
  }
  const bad = [undefined, "", token, "Bearer", `Bearer ${token}x`, `Bearer ${token.slice(1)}`, `Digest ${token}`];
  for (const header of [...bad, basic(token), basic(`${token}:`), basic(`a:b:${token}`), "Basic ====", "Bearer \0"]) {
    assert.equal(isKnown(header), false, String(header));
  }
});

test("refuses an address from the thirtieth failure of a minute on, and no other", () => {
  let now = 0;
  const attempts = createAttempts({ now: () => now });
  for (let i = 0; i < 29; i++) attempts.failed("192.0.2.1");
  assert.equal(attempts.exhausted("192.0.2.1"), false);
  attempts.failed("::ffff:192.0.2.1");
  assert.equal(attempts.exhausted("192.0.2.1"), true);
  assert.equal(attempts.exhausted("192.0.2.2"), false);
  now = 60_000;
  assert.equal(attempts.exhausted("192.0.2.1"), false);
});

test("counts a /64 of IPv6 as one address, and forgets the oldest of very many", () => {
  const attempts = createAttempts({ limit: 2, now: () => 0 });
  attempts.failed("2001:db8::1");
  attempts.failed("2001:db8::2");
  assert.equal(attempts.exhausted("2001:db8::3"), true);
  for (let i = 0; i < 20_000; i++) attempts.failed(`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`);
  assert.equal(attempts.exhausted("2001:db8::3"), false);
});
