// API tokens: for CI, git and wrangler. Invariant: a token may do no more than its maker may at the moment of its use.

import { randomUUID } from "node:crypto";
import { WrkstError } from "../errors.js";
import type { AccessRecords, ApiToken, Role, Scope } from "../model-access.js";
import { type Identity, MAIN } from "./access.js";
import { createOpaque, digestOfKind } from "./opaque.js";

/** `owner` of what the break-glass token made. */
export const ADMIN = "admin";

const OF_ADMINS: ReadonlySet<Scope> = new Set(["git", "metrics", "admin"]);

/** How often the last use is written down: not every request is worth a write to disk. */
const TOUCH_AFTER = 60_000;

/** Of one account: more are a program that forgets to revoke. */
const MOST_TOKENS = 500;

export interface NewApiToken {
  name: string;
  scopes: Scope[];
  /** Milliseconds since 1970; null: never. */
  expiresAt: number | null;
  account: string;
}

/** A credential that was good once: it has expired, or its owner may no longer. */
export interface Lapsed {
  lapsedAccount: string;
}

export interface ApiTokens {
  authenticate(presented: string): Identity | Lapsed | undefined;
  /** The secret is in the answer, once. @throws WrkstError ERR_FORBIDDEN */
  create(by: Identity, wanted: NewApiToken): { token: ApiToken; secret: string };
  /** Of who asks; everybody's for administrators. Newest first. */
  list(by: Identity): ApiToken[];
  /** By id or a prefix of it, 8 or more. @throws WrkstError ERR_NOT_FOUND */
  find(by: Identity, id: string): ApiToken;
  /** With all tokens that it made. */
  revoke(token: ApiToken): void;
}

export interface ApiTokensOptions {
  records: AccessRecords;
  /** Role of a user under the rules of now; undefined when disabled or not allowed. */
  roleOf: (userId: string) => { role: Role; account: string; name: string; email: string | null } | undefined;
  isAccount: (account: string) => boolean;
  now: () => number;
}

export function createApiTokens({ records, roleOf, isAccount, now }: ApiTokensOptions): ApiTokens {
  const holderOf = (owner: string) =>
    owner === ADMIN ? ({ role: "admin", account: MAIN, name: ADMIN, email: null } as const) : roleOf(owner);

  return {
    authenticate(presented) {
      const digest = digestOfKind("apiToken", presented);
      const token = digest === undefined ? undefined : records.apiToken(digest);
      if (!token) return undefined;
      const holder = holderOf(token.owner);
      const isOver = token.expiresAt !== null && token.expiresAt <= now();
      // Who lost the role of an administrator has no word on other accounts any more.
      const isForeign = holder?.role !== "admin" && holder?.account !== token.account;
      if (!holder || isOver || isForeign) return { lapsedAccount: token.account };
      if (now() - (token.lastUsedAt ?? 0) >= TOUCH_AFTER) records.touchApiToken(token.id, now());
      const { id, account, scopes, owner } = token;
      const { role, email } = holder;
      const name = `${holder.name} (${token.name})`;
      return {
        subject: owner,
        name,
        email,
        role,
        account,
        scopes,
        isBound: true,
        credential: { kind: "api-token", id },
      };
    },
    create(by, wanted) {
      const parent = by.credential.kind === "api-token" ? by.credential.id : null;
      const maker = parent === null ? undefined : records.apiTokens(by.subject).find(({ id }) => id === parent);
      refuseMore(by, wanted, maker);
      refuseAccount(wanted.account);
      const { secret, digest } = createOpaque("apiToken");
      const made = { id: randomUUID(), owner: by.subject, parent, createdAt: now(), lastUsedAt: null };
      const token: ApiToken = { ...made, ...wanted };
      records.addApiToken(digest, token);
      return { token, secret };
    },
    list: (by) => visible(by),
    find(by, id) {
      const found = visible(by).filter((token) => token.id.startsWith(id));
      const [token] = found;
      if (token && found.length === 1 && id.length >= 8) return token;
      throw new WrkstError("ERR_NOT_FOUND", `there is no token "${id}"`, { hint: "see: wrkst tokens list" });
    },
    revoke: (token) => records.removeApiToken(token.id),
  };

  function refuseAccount(account: string): void {
    if (!isAccount(account)) {
      throw new WrkstError("ERR_NOT_FOUND", `there is no account "${account}"`, { hint: "see: wrkst users list" });
    }
    const there = records.apiTokens().filter((token) => token.account === account).length;
    if (there < MOST_TOKENS) return;
    throw new WrkstError("ERR_CONFLICT", `expected at most ${MOST_TOKENS} tokens of account "${account}"`, {
      hint: "revoke what is not used any more: wrkst tokens list",
    });
  }

  /** An API token sees those of its account only. */
  function visible(by: Identity): ApiToken[] {
    const all = records.apiTokens(isAdmin(by) ? undefined : by.subject);
    return by.isBound ? all.filter(({ account }) => account === by.account) : all;
  }
}

function isAdmin({ role, scopes }: Identity): boolean {
  return role === "admin" && scopes.includes("admin");
}

/** @throws WrkstError ERR_FORBIDDEN when the token would outdo its maker. */
function refuseMore(by: Identity, wanted: NewApiToken, maker: ApiToken | undefined): void {
  const refuse = (message: string, hint: string) => {
    throw new WrkstError("ERR_FORBIDDEN", message, { hint });
  };
  if (by.credential.kind === "ci-token")
    refuse("a token of a CI issuer makes no tokens", "log in, or use an API token");
  const lacking = wanted.scopes.filter((scope) => !by.scopes.includes(scope) && !by.scopes.includes("admin"));
  if (lacking.length)
    refuse(`expected scopes that you have, received "${lacking.join('", "')}"`, "ask for fewer scopes");
  if (by.role !== "admin" && wanted.scopes.some((scope) => OF_ADMINS.has(scope))) {
    refuse('the scopes "git", "metrics" and "admin" are for administrators', 'ask for "read" or "deploy"');
  }
  const ofPlatform = wanted.scopes.find((scope) => scope === "git" || scope === "metrics");
  if (ofPlatform && wanted.account !== MAIN) {
    const what = ofPlatform === "git" ? "the repository is" : "the numbers are";
    throw new WrkstError("ERR_INVALID", `the scope "${ofPlatform}" is for account "${MAIN}": ${what} the platform's`);
  }
  if (by.role === "viewer" && wanted.scopes.includes("deploy")) {
    refuse('the scope "deploy" is not for viewers', 'ask for "read"');
  }
  const mayName = by.role === "admin" && !by.isBound;
  if (wanted.account !== by.account && !mayName) {
    refuse(`expected your account "${by.account}", received "${wanted.account}"`, "leave the account out");
  }
  const end = maker?.expiresAt ?? null;
  if (end !== null && (wanted.expiresAt === null || wanted.expiresAt > end)) {
    refuse(
      "a token cannot outlive the token that makes it",
      `let it expire at ${new Date(end).toISOString()} or before`,
    );
  }
}
