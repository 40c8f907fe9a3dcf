// Who may do what: identities, roles, and the one decision that every request passes. Pure.

import type { Actor } from "../model.js";
import type { Role, Scope } from "../model-access.js";

export { ROLES, type Role, SCOPES, type Scope } from "../model-access.js";

/**
 * What a route asks for. `read`, `logs` and `deploy` act on an account; `push` is a push to the embedded repository. `logs`
 * is what functions say and who asks them, which may be private: not on `main`, though everybody may read the rest there.
 * `metrics` is the numbers of the whole platform, which name the functions of all accounts.
 */
export type Action = "read" | "logs" | "deploy" | "push" | "sync" | "metrics" | "admin" | "self";

/** The account of the platform: git's and the administrators'. */
export const MAIN = "main";

/** Which kind of credential was shown, and its id where it has one (never the secret). */
export interface Credential {
  kind: "admin-token" | "access-token" | "api-token" | "ci-token";
  id: string | null;
}

/** Who asks. */
export interface Identity {
  /** `admin`, the id of a user, or `ci:<issuer>:<subject>`. */
  subject: string;
  /** For deployments and events. */
  name: string;
  email: string | null;
  role: Role;
  /** Account that is meant where the request names none. */
  account: string;
  scopes: readonly Scope[];
  /** The credential is good for its `account` only, whatever the role. */
  isBound: boolean;
  credential: Credential;
}

/** Whether the identity may do this on the account. Deny by default. */
export function permits(identity: Identity, action: Action, account: string = identity.account): boolean {
  if (!hasScope(identity, action)) return false;
  if (identity.isBound && action !== "self" && account !== identity.account) return false;
  if (action === "self") return true;
  if (identity.role === "admin") return true;
  if (action === "read") return account === identity.account || account === MAIN;
  if (action === "logs") return account === identity.account;
  return action === "deploy" && identity.role === "deployer" && account === identity.account;
}

/** A git push and a deploy imply reading; `admin` implies everything, `metrics` nothing else. */
function hasScope({ scopes }: Identity, action: Action): boolean {
  if (scopes.includes("admin")) return true;
  switch (action) {
    case "read":
    case "logs":
    case "self":
      return scopes.some((scope) => scope !== "metrics");
    case "deploy":
    case "sync":
      return scopes.includes("deploy");
    case "push":
      return scopes.includes("git");
    case "metrics":
      return scopes.includes("metrics");
    case "admin":
      return false;
  }
}

const OF_ROLE: Record<Role, readonly Scope[]> = {
  viewer: ["read"],
  deployer: ["read", "deploy"],
  admin: ["read", "deploy", "git", "metrics", "admin"],
};

/** What the scopes come to in that role, to be shown: `admin` stands for all that the role has. */
export function effectiveScopes(role: Role, scopes: readonly Scope[]): Scope[] {
  const asAll = scopes.includes("admin") && role !== "admin";
  return OF_ROLE[role].filter((scope) => asAll || scopes.includes(scope));
}

/** The same person for deployments and audit events; `address` of the client. */
export function actorOf({ name, email, credential }: Identity, address: string): Actor {
  const { kind, id } = credential;
  return { name, email, credential: id === null ? kind : `${kind}:${id}`, address };
}
