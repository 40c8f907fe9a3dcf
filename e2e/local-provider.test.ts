// The OpenID provider of the compose profile "oidc": with it and the settings of docs/docker.md, people log in.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import test, { type TestContext } from "node:test";
import { logIn } from "../agent/auth/testing/provider.js";
import { freePort, startAgent, until } from "./harness.js";

async function startProvider(t: TestContext, env: Record<string, string>): Promise<ChildProcess> {
  const script = new URL("../../scripts/oidc-provider.mjs", import.meta.url).pathname;
  const child = spawn(process.execPath, [script], { env: { PATH: process.env.PATH, ...env }, stdio: "ignore" });
  t.after(async () => {
    child.kill();
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  });
  await until("the provider answers", async () => {
    assert.equal(child.exitCode, null, "the provider ended");
    const answer = await fetch(`${env.ISSUER}/.well-known/openid-configuration`).catch(() => undefined);
    return answer?.status === 200;
  });
  return child;
}

test("whoever types a name at the local provider is logged in, and an administrator only where the settings say so", async (t) => {
  const port = await freePort();
  const publicUrl = `http://localhost:${port}`;
  const issuer = `http://127.0.0.1:${await freePort()}`;
  await startProvider(t, { ISSUER: issuer, HOST: "127.0.0.1", REDIRECT_URI: `${publicUrl}/auth/callback` });
  const agent = await startAgent({
    port,
    env: {
      OIDC_ISSUER: issuer,
      OIDC_CLIENT_ID: "wrkst",
      OIDC_CLIENT_SECRET: "only-for-trying-out",
      OIDC_ALLOW: "*",
      OIDC_ADMINS: "email:ada@example.com",
    },
  });
  t.after(() => agent.stop());
  const statusFor = async (person: string) => {
    const { access_token } = await logIn({ publicUrl, person });
    const headers = { authorization: `Bearer ${access_token}` };
    return (await agent.request("localhost", "/api/v1/users", { headers })).status;
  };
  assert.equal(await statusFor("ada"), 200);
  assert.equal(await statusFor("grace"), 403);
});
