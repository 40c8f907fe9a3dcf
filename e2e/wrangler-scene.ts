// What tests of the stock wrangler stand on: an agent with a provider of logins, and projects that go with it.
import assert from "node:assert/strict";
import { logIn, startProvider } from "../agent/auth/testing/provider.js";
import { freePort, startAgent } from "./harness.js";
import { createProject, type Ran, type WranglerProject } from "./wrangler-client.js";

/** Of a test file, with its `after`. */
export async function startScene(scope: { after(end: () => Promise<void>): void }) {
  const port = await freePort();
  const publicUrl = `http://localhost:${port}`;
  const provider = await startProvider({ redirectUri: `${publicUrl}/auth/callback` });
  const agent = await startAgent({ port, env: { ...provider.environment, OIDC_ALLOW: "*" } });
  const projects: WranglerProject[] = [];
  scope.after(async () => {
    await agent.stop();
    await provider.close();
    for (const project of projects) await project.remove();
  });
  const server = { publicUrl, token: await agent.token() };
  return {
    ...{ agent, port, server },
    async project(files: Record<string, string | Uint8Array>): Promise<WranglerProject> {
      const made = await createProject(server, files);
      projects.push(made);
      return made;
    },
    text: async (host: string, headers = {}) => (await agent.request(host, "/", { headers })).text,
    /** Logs the person in, and makes a token for deploys. */
    async tokenOf(person: string): Promise<{ token: string; account: string }> {
      const { access_token } = await logIn({ publicUrl, person });
      const headers = { authorization: `Bearer ${access_token}` };
      const body = JSON.stringify({ name: "ci", scopes: ["deploy"] });
      const made = await agent.request("localhost", "/api/v1/tokens", { method: "POST", headers, body });
      assert.ok(made.status < 300, made.text);
      return { token: JSON.parse(made.text).token as string, account: person };
    },
  };
}

export function fine(ran: Ran): Ran {
  assert.equal(ran.code, 0, ran.output);
  return ran;
}

/** Answers its `env` as JSON. */
export const TELLS = "export default { fetch: (request, { D1, ...env }) => Response.json(env) };\n";
