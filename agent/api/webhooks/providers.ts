// Every provider, by its name in the address of a webhook.

import { bitbucket } from "./bitbucket.js";
import { forgejo } from "./forgejo.js";
import { generic } from "./generic.js";
import { gitea } from "./gitea.js";
import { github } from "./github.js";
import { gitlab } from "./gitlab.js";
import { gogs } from "./gogs.js";
import { oidc } from "./oidc.js";
import type { Provider } from "./provider.js";
import { standard } from "./standard.js";

const PROVIDERS = { github, gitlab, gitea, forgejo, gogs, bitbucket, standard, generic, oidc };

export type ProviderName = keyof typeof PROVIDERS;

export const PROVIDER_NAMES = Object.keys(PROVIDERS) as ProviderName[];

export function providerOf(name: string): Provider | undefined {
  return Object.hasOwn(PROVIDERS, name) ? PROVIDERS[name as ProviderName] : undefined;
}
