// The API with a real provider beside it, and small steps of a login. For tests only.

import { randomBytes } from "node:crypto";
import { Browser, type Page } from "../auth/testing/browser.js";
import { NO_ACCESS } from "../auth/testing/new-auth.js";
import {
  authorizationUrl,
  type LoginOptions,
  logInAtProvider,
  type ProviderOptions,
  startProvider,
  type TestProvider,
} from "../auth/testing/provider.js";
import type { AccessSettings } from "../model-access.js";
import { freePort } from "./test-port.js";
import { serveApi } from "./testing.js";

interface Scope {
  after(done: () => Promise<void>): void;
}

/** The platform on a port of its own; who has an address at example.com is a deployer, `root` is an administrator. */
export async function serveLogin(
  t: Scope,
  settings: Partial<AccessSettings> | ((provider: TestProvider) => Partial<AccessSettings>) = {},
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
    ...(typeof settings === "function" ? settings(provider) : settings),
  };
  const served = await serveApi({ port }, { access, publicUrl });
  t.after(async () => {
    await served.close();
    await provider.close();
  });
  const post = (path: string, fields: Record<string, string>) =>
    served.ask(path, {
      method: "POST",
      token: null,
      headers: { "content-type": "application/x-www-form-urlencoded" },
      body: new URLSearchParams(fields).toString(),
    });
  return { ...served, provider, publicUrl, post };
}

/** As far as the question of our own page. */
export async function askedPage(options: LoginOptions): Promise<{ browser: Browser; page: Page; verifier: string }> {
  const browser = options.browser ?? newBrowser();
  const verifier = randomBytes(32).toString("base64url");
  const page = await logInAtProvider(browser, authorizationUrl(options, verifier), options.person);
  return { browser, page, verifier };
}

/** Stops where a client waits. */
export function newBrowser(): Browser {
  return new Browser((url) => url.port === "8976");
}
