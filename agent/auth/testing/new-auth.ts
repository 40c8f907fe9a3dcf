// An `Auth` over a registry in a folder of its own, with a clock that tests move. For tests only.

import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { AccessSettings } from "../../model-access.js";
import { openRegistry } from "../../store/index.js";
import { type AuthOptions, openAuth } from "../index.js";

/** Settings without provider and rules. */
export const NO_ACCESS: AccessSettings = {
  provider: undefined,
  allow: [],
  admins: [],
  jwtSecret: undefined,
  ciRules: [],
  redirects: [],
};

export async function newAuth(t: TestContext, options: Partial<AuthOptions> = {}) {
  const dir = await mkdtemp(join(tmpdir(), "wrkst-auth-"));
  const clock = { now: Date.now() };
  const now = () => clock.now;
  const registryFile = join(dir, "registry.sqlite");
  const registry = openRegistry(registryFile, { now });
  t.after(async () => {
    registry.close();
    await rm(dir, { recursive: true, force: true });
  });
  const secretsDir = join(dir, "secrets");
  const auth = await openAuth({
    secretsDir,
    adminToken: true,
    records: registry.access,
    settings: NO_ACCESS,
    publicUrl: () => "http://localhost:8080",
    now,
    ...options,
  });
  const token = (await readFile(auth.tokenFile!, "utf8")).trim();
  const admin = (await auth.authenticate(`Bearer ${token}`, "127.0.0.1"))!;
  return { auth, admin, token, registry, registryFile, clock };
}
