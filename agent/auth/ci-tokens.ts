// Bearer tokens of CI issuers (GitHub Actions, GitLab): taken only under a rule of the operator (SECURITY.md A9). Invariant:
// no issuer is asked for anything that no rule names.

import { createRemoteJWKSet, decodeJwt, errors, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from "jose";
import { WrkstError } from "../errors.js";
import { type CiRule, isProviderUrl } from "../model-access.js";
import type { Identity } from "./access.js";
import { ciRuleMatches } from "./rules.js";

/** Signatures that need a public key only: a shared secret is none between an issuer and us. */
export const ALGORITHMS = [
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
  "ES256",
  "ES384",
  "ES512",
  "EdDSA",
  "Ed25519",
];

export interface CiTokens {
  /** undefined for tokens that no rule is for. @throws WrkstError ERR_LOGIN_PROVIDER when the issuer does not answer */
  authenticate(presented: string): Promise<Identity | undefined>;
}

export interface CiTokensOptions {
  rules: readonly CiRule[];
  now: () => number;
  /** Milliseconds between two looks at an issuer's keys, or its settings. */
  cooldown?: number;
}

export function createCiTokens({ rules, now, cooldown = 5000 }: CiTokensOptions): CiTokens {
  const issuers = new Map<string, { keys: Promise<JWTVerifyGetKey>; at: number }>();

  function keysOf(issuer: string): Promise<JWTVerifyGetKey> {
    const known = issuers.get(issuer);
    if (known && now() - known.at < 3_600_000) return known.keys;
    const asked = { keys: fetchKeys(issuer, cooldown), at: now() };
    issuers.set(issuer, asked);
    // What failed is asked again, but not at once: anybody can send a token that names the issuer.
    asked.keys.catch(() => {
      asked.at = now() - 3_600_000 + cooldown;
    });
    return asked.keys;
  }

  return {
    async authenticate(presented) {
      const issuer = issuerOf(presented);
      const trusted = rules.filter((rule) => rule.issuer === issuer);
      if (issuer === undefined || !trusted.length) return undefined;
      const keys = await keysOf(issuer).catch((error: unknown) => unreachable(issuer, error));
      for (const rule of trusted) {
        const claims = await verify(presented, keys, rule, now);
        if (claims && ciRuleMatches(rule, claims)) return identityOf(rule, claims);
      }
      return undefined;
    },
  };
}

function issuerOf(presented: string): string | undefined {
  if (presented.length > 16_384 || !/^[\w-]+\.[\w-]+\.[\w-]+$/.test(presented)) return undefined;
  try {
    return decodeJwt(presented).iss;
  } catch {
    return undefined;
  }
}

async function verify(token: string, keys: JWTVerifyGetKey, { issuer, audience }: CiRule, now: () => number) {
  const requiredClaims = ["sub", "exp", "iat"];
  const expected = { issuer, audience, requiredClaims, algorithms: ALGORITHMS, currentDate: new Date(now()) };
  try {
    return (await jwtVerify(token, keys, { ...expected, clockTolerance: 5 })).payload;
  } catch (error) {
    const isRefusal =
      error instanceof errors.JOSEError && !(error instanceof errors.JWKSTimeout) && error.code !== "ERR_JOSE_GENERIC";
    return isRefusal ? undefined : unreachable(issuer, error);
  }
}

function unreachable(issuer: string, cause: unknown): never {
  const reason = cause instanceof Error ? cause.message : String(cause);
  throw new WrkstError("ERR_LOGIN_PROVIDER", `the issuer "${issuer}" does not give its keys: ${reason}`);
}

async function fetchKeys(issuer: string, cooldownDuration: number): Promise<JWTVerifyGetKey> {
  const url = `${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`;
  const answer = await fetch(url, { signal: AbortSignal.timeout(5000), redirect: "error" });
  if (!answer.ok) throw new Error(`${url} answers ${answer.status}`);
  const found = (await answer.json()) as { issuer?: unknown; jwks_uri?: unknown };
  if (found.issuer !== issuer) throw new Error(`${url} names another issuer`);
  if (typeof found.jwks_uri !== "string" || !isProviderUrl(found.jwks_uri)) throw new Error(`${url} names no keys`);
  return createRemoteJWKSet(new URL(found.jwks_uri), { timeoutDuration: 5000, cooldownDuration });
}

/** `git` and `admin` are for administrators, so the rule that grants them makes one, on its account. */
function identityOf({ account, scopes, issuer }: CiRule, { sub = "", jti }: JWTPayload): Identity {
  const role = scopes.includes("git") || scopes.includes("admin") ? "admin" : "deployer";
  const credential = { kind: "ci-token" as const, id: jti ?? null };
  return { subject: `ci:${issuer}:${sub}`, name: sub, email: null, role, account, scopes, isBound: true, credential };
}
