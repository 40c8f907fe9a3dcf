import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import { test } from "node:test";
import { NO_ACCESS } from "../auth/testing/new-auth.js";
import { logIn, type ProviderOptions, startProvider } from "../auth/testing/provider.js";
import type { AccessSettings } from "../model-access.js";
import { serveApi } from "./testing.js";

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}

/** The platform with a provider beside it. */
async function serveLogin(
  t: { after(done: () => Promise<void>): void },
  settings: Partial<AccessSettings> = {},
  options: Partial<ProviderOptions> = {},
) {
  const port = await freePort();
  const publicUrl = `http://127.0.0.1:${port}`;
  const provider = await startProvider({ redirectUri: `${publicUrl}/auth/callback`, ...options });
  const access: AccessSettings = {
    ...NO_ACCESS,
    provider: provider.settings,
    allow: [{ claim: "email", pattern: "*@example.com" }],
    admins: [{ claim: "sub", pattern: "root" }],
    ...settings,
  };
  const served = await serveApi({ port }, { access, publicUrl });
  t.after(async () => {
    await served.close();
    await provider.close();
  });
  return { ...served, provider, publicUrl };
}

test("logs a user in over a real provider, to tokens that work (A2, A3)", async (t) => {
  const { ask, publicUrl } = await serveLogin(t);
  const tokens = await logIn({ publicUrl, person: "ann", scope: "account:read workers:write offline_access" });
  assert.deepEqual([tokens.token_type, tokens.scope], ["Bearer", "account:read workers:write offline_access"]);
  const { json } = await ask("/api/v1/whoami", { token: tokens.access_token });
  assert.deepEqual(
    [json.account, json.role, json.email, json.scopes],
    ["ann", "deployer", "ann@example.com", ["read", "deploy"]],
  );
});
