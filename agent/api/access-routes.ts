// `/api/v1/tokens`, `/api/v1/users`, `/api/v1/whoami`: credentials and people. Every write is an audit event.

import { z } from "zod";
import { type Auth, actorOf, effectiveScopes, type Identity, MAIN, ROLES, SCOPES } from "../auth/index.js";
import { WrkstError } from "../errors.js";
import { isFunctionName } from "../model.js";
import type { ApiToken, User } from "../model-access.js";
import type { Audit } from "./login.js";
import { type Call, Reply, type Routes } from "./routes.js";

export interface AccessRoutesDeps {
  auth: Auth;
  audit: Audit;
  now?: () => number;
}

const SELF = { action: "self", of: "caller" } as const;
const ADMIN = { action: "admin", of: "main" } as const;

const newToken = z.strictObject({
  name: z.string().trim().min(1).max(100),
  scopes: z.array(z.enum(SCOPES)).min(1),
  /** A date of ISO 8601; null or absent: never. */
  expires: z.iso.datetime({ offset: true }).nullish(),
  account: z.string().refine(isFunctionName, "expected the name of an account").optional(),
});
const userChange = z.strictObject({ role: z.enum(ROLES).nullable().optional(), disabled: z.boolean().optional() });

export function addAccessRoutes(routes: Routes, deps: AccessRoutesDeps): void {
  addWhoami(routes, deps.auth);
  addTokenRoutes(routes, deps);
  addUserRoutes(routes, deps);
}

function addWhoami(routes: Routes, { users }: Auth): void {
  routes.add(
    { method: "GET", path: "/api/v1/whoami", rule: SELF, summary: "Who asks, and what they may do" },
    (call) => {
      const { subject, name, email, role, account, scopes, isBound, credential } = call.identity;
      const mayAll = role === "admin" && !isBound;
      const accounts = mayAll
        ? [MAIN, ...users.list().map((user) => user.account)]
        : isBound
          ? [account]
          : [account, MAIN];
      const shown = effectiveScopes(role, scopes);
      return { subject, name, email, role, account, accounts: [...new Set(accounts)], scopes: shown, credential };
    },
  );
}

function addTokenRoutes(routes: Routes, { auth, audit, now = Date.now }: AccessRoutesDeps): void {
  const path = "/api/v1/tokens";
  routes.add(
    { method: "GET", path, rule: SELF, summary: "API tokens, newest first; all of them for administrators" },
    (call) => ({
      tokens: auth.tokens.list(call.identity).map(shownToken),
      cursor: null,
    }),
  );
  routes.add({ method: "GET", path: `${path}/:id`, rule: SELF, summary: "One API token" }, ({ identity, params }) =>
    shownToken(auth.tokens.find(identity, params.id ?? "")),
  );
  routes.add(
    {
      method: "POST",
      path,
      rule: SELF,
      body: newToken,
      secret: true,
      summary: "Makes an API token; its value is told once",
    },
    (call) => {
      const { name, scopes, expires, account = call.identity.account } = call.body;
      const expiresAt = expires ? Date.parse(expires) : null;
      if (expiresAt !== null && expiresAt <= now()) {
        throw new WrkstError("ERR_INVALID", `"expires": expected a time to come, received "${expires}"`);
      }
      const wanted = { name, account, expiresAt, scopes: SCOPES.filter((scope) => scopes.includes(scope)) };
      const { token, secret } = auth.tokens.create(call.identity, wanted);
      const message = `token "${name}" (${token.id}) was made for "${account}": ${token.scopes.join(", ")}`;
      audit({ kind: "token.created", message, actor: call.actor });
      return new Reply({ ...shownToken(token), token: secret }, { status: 201 });
    },
  );
  routes.add(
    { method: "DELETE", path: `${path}/:id`, rule: SELF, summary: "Revokes an API token, and those it made" },
    (call) => {
      const token = auth.tokens.find(call.identity, call.params.id ?? "");
      refuseOthers(call.identity, token);
      auth.tokens.revoke(token);
      audit({ kind: "token.revoked", message: `token "${token.name}" (${token.id}) was revoked`, actor: call.actor });
      return undefined;
    },
  );
}

/** A token that is bound to an account, or may only read, ends what it made and itself, not its siblings. */
function refuseOthers({ credential, scopes, role }: Identity, token: ApiToken): void {
  if (credential.kind !== "api-token" || token.id === credential.id || token.parent === credential.id) return;
  if (role === "admin" && scopes.includes("admin")) return;
  throw new WrkstError("ERR_FORBIDDEN", "an API token revokes itself and what it made, no other token");
}

function shownToken({ id, name, owner, account, scopes, createdAt, expiresAt, lastUsedAt }: ApiToken) {
  const dates = { created: iso(createdAt), expires: iso(expiresAt), lastUsed: iso(lastUsedAt) };
  return { id, name, owner, account, scopes, ...dates };
}

function addUserRoutes(routes: Routes, { auth, audit }: AccessRoutesDeps): void {
  const path = "/api/v1/users";
  const shown = (user: User) => shownUser(user, auth.users.effectiveRole(user));
  routes.add({ method: "GET", path, rule: ADMIN, summary: "Users, by account" }, () => ({
    users: auth.users.list().map(shown),
    cursor: null,
  }));
  routes.add({ method: "GET", path: `${path}/:id`, rule: ADMIN, summary: "One user, by id or account" }, ({ params }) =>
    shown(auth.users.find(params.id ?? "")),
  );
  routes.add(
    {
      method: "PATCH",
      path: `${path}/:id`,
      rule: ADMIN,
      body: userChange,
      summary: "Sets a role (null: by the rules), disables",
    },
    (call: Call<unknown, z.infer<typeof userChange>>) => {
      const user = auth.users.find(call.params.id ?? "");
      const { role, disabled } = call.body;
      const change = { ...(role === undefined ? {} : { role }), ...(disabled === undefined ? {} : { disabled }) };
      const changed = auth.users.change(call.identity, user, change);
      const message = `user "${user.account}": ${JSON.stringify(change)}`;
      audit({ kind: "user.changed", message, actor: actorOf(call.identity, call.client.address) });
      return shown(changed);
    },
  );
}

function shownUser(user: User, role: string | null) {
  const { id, issuer, subject, account, name, email, emailVerified, groups, disabled } = user;
  const dates = { created: iso(user.createdAt), lastLogin: iso(user.lastLoginAt) };
  return {
    id,
    account,
    name,
    email,
    emailVerified,
    groups,
    role,
    roleSet: user.role,
    disabled,
    issuer,
    subject,
    ...dates,
  };
}

function iso(at: number): string;
function iso(at: number | null): string | null;
function iso(at: number | null): string | null {
  return at === null ? null : new Date(at).toISOString();
}
