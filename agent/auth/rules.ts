// The operator's rules: which person may log in and as what, and which tokens of a CI issuer are good. Pure.

import type { CiRule, Claims, PersonRule, Role, User } from "../model-access.js";

export interface PersonRules {
  allow: readonly PersonRule[];
  admins: readonly PersonRule[];
}

/** The role of a user under the rules of now; undefined: may not log in. An administrator's word on the role counts more. */
export function roleOf(user: Claims & Partial<Pick<User, "role" | "disabled">>, rules: PersonRules): Role | undefined {
  if (user.disabled) return undefined;
  const isAdmin = rules.admins.some((rule) => speaksOf(rule, user));
  if (!isAdmin && !rules.allow.some((rule) => speaksOf(rule, user))) return undefined;
  return user.role ?? (isAdmin ? "admin" : "deployer");
}

/** An address counts only when the provider has verified it (SECURITY.md A3). */
function speaksOf(rule: PersonRule, { email, emailVerified, groups, subject }: Claims): boolean {
  switch (rule.claim) {
    case "everybody":
      return true;
    case "email":
      return emailVerified && email !== null && matches(rule.pattern, email.toLowerCase(), "[^@]*");
    case "group":
      return groups.some((group) => matches(rule.pattern, group, ".*"));
    case "sub":
      return subject === rule.pattern;
  }
}

/** Whether every claim that the rule names is there and matches. Lists match when one of their parts does. */
export function ciRuleMatches(rule: CiRule, claims: Record<string, unknown>): boolean {
  return Object.entries(rule.claims).every(([name, pattern]) => {
    if (!Object.hasOwn(claims, name)) return false;
    const value = claims[name];
    const values = Array.isArray(value) ? value : [value];
    return values.some(
      (one) => /^(?:string|number|boolean)$/.test(typeof one) && matches(pattern, String(one), "[^/:]*"),
    );
  });
}

/** `**` is any run of characters, `*` the run given as a regular expression. */
function matches(pattern: string, value: string, run: string): boolean {
  const parts = pattern.split(/(\*\*|\*)/).map((part) => {
    if (part === "**") return ".*";
    return part === "*" ? run : part.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
  });
  return value.length <= 1000 && new RegExp(`^${parts.join("")}$`, "su").test(value);
}
