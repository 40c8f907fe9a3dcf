// What is wrong, or has no effect, though each variable by itself is fine. Pure.

import { isSshRepository } from "./config-values.js";
import { defaultPublicUrl, type Environment, type Values } from "./config-variables.js";
import { isLoopbackUrl } from "./model-access.js";

/** Sentences, one for each contradiction; adds to the hints what helps. */
export function contradictions(env: Environment, values: Partial<Values>, hints: string[]): string[] {
  const faults: string[] = [];
  if (values.GIT_REPO && isSshRepository(values.GIT_REPO) && !values.GIT_KNOWN_HOSTS_FILE) {
    faults.push("GIT_KNOWN_HOSTS_FILE: expected a file with the host keys of GIT_REPO, received nothing");
    hints.push('write one with "ssh-keyscan <host> > known_hosts" and compare its keys with those the host publishes');
  }
  if (values.GIT_TAGS !== undefined && env.GIT_BRANCH?.trim()) {
    faults.push("GIT_TAGS: expected either a branch or a range of tags, received GIT_BRANCH as well");
  }
  return [...faults, ...loginContradictions(env, values)];
}

/** The four endpoints replace discovery together, and cookies of a login need https or loopback. */
function loginContradictions(env: Environment, v: Partial<Values>): string[] {
  const faults: string[] = [];
  const endpoints = [v.OIDC_AUTHORIZATION_ENDPOINT, v.OIDC_TOKEN_ENDPOINT, v.OIDC_USERINFO_ENDPOINT, v.OIDC_JWKS_URI];
  const given = endpoints.filter((endpoint) => endpoint !== undefined);
  if (given.length % endpoints.length) {
    const names = "OIDC_AUTHORIZATION_ENDPOINT, OIDC_TOKEN_ENDPOINT, OIDC_USERINFO_ENDPOINT, OIDC_JWKS_URI";
    faults.push(`${names}: expected all four or none, received ${given.length}`);
  }
  if (!env.OIDC_ISSUER?.trim() && (v.OIDC_CLIENT_ID || given.length)) {
    faults.push("OIDC_ISSUER: expected the address that ID tokens name as their issuer, received nothing");
  }
  if (v.OIDC_ISSUER && !v.OIDC_CLIENT_ID) faults.push("OIDC_CLIENT_ID: expected the id of a client, received nothing");
  if (v.OIDC_REDIRECT_URI && !v.OIDC_REDIRECT_URI.endsWith("/auth/callback")) {
    faults.push(
      `OIDC_REDIRECT_URI: expected an address that ends in "/auth/callback", received "${v.OIDC_REDIRECT_URI}"`,
    );
  }
  const url = v.PUBLIC_URL ?? (v.BASE_DOMAIN && v.PORT !== undefined ? defaultPublicUrl(v.BASE_DOMAIN, v.PORT) : "");
  if (v.OIDC_ISSUER && url && !url.startsWith("https:") && !isLoopbackUrl(url)) {
    faults.push(`PUBLIC_URL: expected an https address, since OIDC_ISSUER is set, received "${url}"`);
  }
  return faults;
}

/** Sentences for the operator. */
export function warningsOf(v: Values): string[] {
  const networks = v.EGRESS_ALLOW.some((network) => network !== "public");
  const checks: [boolean, string][] = [
    [
      !v.EGRESS_ALLOW.includes("public"),
      'EGRESS_ALLOW does not list "public", yet the public internet stays reachable: a function keeps off it with egress = "none"',
    ],
    [
      networks && !v.EGRESS_PRIVATE.length,
      "EGRESS_ALLOW lists networks that no function may use: EGRESS_PRIVATE is empty",
    ],
    [!networks && v.EGRESS_PRIVATE.length > 0, "EGRESS_PRIVATE has no effect: EGRESS_ALLOW lists no private network"],
    [(v.WEBHOOK_SECRET?.length ?? 16) < 16, "WEBHOOK_SECRET is short and can be guessed: use 16 characters or more"],
    [
      Boolean(v.WRANGLER_ENV && v.CLOUDFLARE_ENV && v.WRANGLER_ENV !== v.CLOUDFLARE_ENV),
      "CLOUDFLARE_ENV has no effect: WRANGLER_ENV is set to something else",
    ],
    [
      Boolean(v.OIDC_ISSUER && !v.OIDC_ALLOW.length && !v.OIDC_ADMINS.length),
      "nobody may log in: OIDC_ALLOW and OIDC_ADMINS are empty",
    ],
    [
      Boolean(!v.OIDC_ISSUER && (v.OIDC_ALLOW.length || v.OIDC_ADMINS.length)),
      "OIDC_ALLOW and OIDC_ADMINS have no effect: OIDC_ISSUER is not set",
    ],
    [Boolean(v.GIT_TOKEN && v.GIT_REPO?.startsWith("http://")), "GIT_TOKEN travels unencrypted: GIT_REPO is not https"],
  ];
  return checks.filter(([holds]) => holds).map(([, sentence]) => sentence);
}
