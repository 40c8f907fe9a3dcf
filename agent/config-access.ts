// Parsers of the settings of access: provider, rules, redirects, signing secret. Pure.

import { z } from "zod";
import { Expected } from "./config-values.js";
import { isFunctionName } from "./model.js";
import { type CiRule, type ClientRedirect, isProviderUrl, type PersonRule, SCOPES } from "./model-access.js";

/** An https address, or http on loopback. As it was written: issuers are compared letter by letter. */
export function parseProviderUrl(raw: string): string | Expected {
  return isProviderUrl(raw)
    ? raw
    : new Expected('an address such as "https://id.example.com", or http on a loopback host');
}

/** `email:*@example.com`, `group:devs`, `sub:1234`, `*`; commas or spaces between them, names of groups may have spaces. */
export function parsePersonRules(raw: string): PersonRule[] | Expected {
  const parts = raw.split(/\s*,\s*|\s+(?=(?:email|group|sub):|\*(?:\s|,|$))/).filter(Boolean);
  const rules: PersonRule[] = [];
  for (const part of parts) {
    const rule = personRule(part);
    if (!rule)
      return new Expected(`rules such as "email:*@example.com", "group:devs", "sub:1234", "*", and "${part}" is none`);
    rules.push(rule);
  }
  return rules;
}

function personRule(part: string): PersonRule | undefined {
  if (part === "*") return { claim: "everybody" };
  const [, claim, pattern = ""] = /^(email|group|sub):(\S(?:.*\S)?)$/.exec(part) ?? [];
  if (claim === "email")
    return /^[^\s@]+@[^\s@]+$/.test(pattern) ? { claim, pattern: pattern.toLowerCase() } : undefined;
  return claim === "group" || claim === "sub" ? { claim, pattern } : undefined;
}

/** `https://tool.example.com/callback`, or `client=https://…` for a client of that id. */
export function parseClientRedirect(raw: string): ClientRedirect | Expected {
  const [, clientId, uri = ""] = /^(?:([\w.-]{1,100})=)?(\S+)$/.exec(raw) ?? [];
  return isProviderUrl(uri)
    ? { clientId, uri }
    : new Expected('redirect URIs such as "https://tool.example.com/callback"');
}

const ciRule = z.strictObject({
  issuer: z.string().refine(isProviderUrl, "expected an https address"),
  audience: z.string().min(1),
  claims: z
    .record(z.string().min(1), z.string().min(1))
    .refine(
      (claims) => Object.values(claims).some((pattern) => /[^*]/.test(pattern)),
      "expected a claim that says something",
    ),
  account: z.string().refine(isFunctionName, "expected the name of an account"),
  scopes: z.array(z.enum(SCOPES)).min(1),
});

/** JSON: a list of rules, each with issuer, audience, claims, account and scopes. */
export function parseCiRules(raw: string): CiRule[] | Expected {
  if (raw === "") return [];
  const shape = '[{ "issuer", "audience", "claims": { … }, "account", "scopes": [ … ] }]';
  let value: unknown;
  try {
    value = JSON.parse(raw);
  } catch {
    return new Expected(`rules as JSON: ${shape}`);
  }
  const result = z.array(ciRule).safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  return new Expected(`rules as JSON: ${shape}; at "${issue?.path.join(".")}": ${issue?.message}`);
}

/** What people paste from documentation. */
const PLACEHOLDER =
  /change.?(?:me|this)|replace.?(?:me|this)|placeholder|your.?(?:own.?)?(?:jwt.?)?secret|super.?secret|insecure|example/i;

/** 32 bytes or more, and nothing that was copied from an example. */
export function parseSigningSecret(raw: string): string | Expected {
  const hint = 'make one with "openssl rand -base64 48", or leave JWT_SECRET unset';
  if (Buffer.byteLength(raw) < 32) return new Expected("a secret of 32 bytes or more", hint);
  const isMonotonous = new Set(raw).size < 8;
  return isMonotonous || PLACEHOLDER.test(raw) ? new Expected("a secret of your own, not a placeholder", hint) : raw;
}
