// The one decision in front of every route. Invariant: deny by default; whoever may not read an account cannot tell from an
// answer whether a function is there. Pure.

import { type Action, type Identity, MAIN, permits } from "../auth/index.js";
import { WrkstError } from "../errors.js";

/**
 * What a route asks of the caller: nothing, or an action on an account: the caller's own, `main`, the one that the path
 * names as `:account`, the one that the query names (`asked`; the caller's own where it names none), or the owner of the
 * function that the path names as `:name`.
 */
export type Rule = "open" | { action: Action; of: "caller" | "main" | "account" | "asked" | "function" };

export interface Owners {
  /** Account of a function, live or removed; undefined where there is none. */
  ownerOf(name: string): string | undefined;
  isAccount(account: string): boolean;
}

/** What a request says of the account that it is about. */
export interface Target {
  params: Record<string, string>;
  /** `account` of the query. */
  asked?: string | undefined;
  owners: Owners;
}

/**
 * The account that the request acts on.
 * @throws WrkstError ERR_FORBIDDEN, ERR_NOT_FOUND for a function that the caller may not know of
 */
export function admit(identity: Identity, rule: Exclude<Rule, "open">, target: Target): string {
  const { params, owners } = target;
  const account = accountOf(identity, rule, target);
  const isHidden = rule.action !== "metrics" && !permits(identity, rule.action === "self" ? "self" : "read", account);
  if (account === undefined || isHidden) {
    throw rule.of === "function" ? unknownFunction(params.name) : foreign(account);
  }
  const isNamed = rule.of === "account" || rule.of === "asked";
  if (isNamed && !owners.isAccount(account)) throw foreign(account);
  if (!permits(identity, rule.action, account)) throw missingRight(identity, rule.action, account);
  return account;
}

function accountOf(
  identity: Identity,
  rule: Exclude<Rule, "open">,
  { params, asked, owners }: Target,
): string | undefined {
  switch (rule.of) {
    case "caller":
      return identity.account;
    case "main":
      return MAIN;
    case "account":
      return params.account;
    case "asked":
      return asked ?? identity.account;
    case "function":
      return owners.ownerOf(params.name ?? "");
  }
}

export function unknownFunction(name: string | undefined): WrkstError {
  return new WrkstError("ERR_NOT_FOUND", `there is no function "${name}"`, {
    hint: "see: wrkst status",
  });
}

export function foreign(account: string | undefined): WrkstError {
  return new WrkstError("ERR_FORBIDDEN", `account "${account}" is not yours`, {
    hint: "ask for your accounts: GET /memberships",
  });
}

function missingRight(identity: Identity, action: Action, account: string): WrkstError {
  return new WrkstError(
    "ERR_FORBIDDEN",
    `expected the right to ${action} on account "${account}", received role "${identity.role}" with scopes "${identity.scopes.join(" ")}"`,
    { hint: "use a credential with that scope, or ask an administrator for the role" },
  );
}
