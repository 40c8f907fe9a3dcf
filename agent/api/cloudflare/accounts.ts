// Who am I: user, token, accounts.

import { createHash } from "node:crypto";
import type { Identity } from "../../auth/index.js";
import { pageOf } from "./envelope.js";
import type { AddRoute } from "./index.js";

const SELF = { action: "self", of: "caller" } as const;

export function addAccountRoutes(add: AddRoute): void {
  add({ method: "GET", path: "/user", rule: SELF, summary: "The caller" }, ({ identity }) => showUser(identity));
  add({ method: "GET", path: "/user/tokens/verify", rule: SELF, summary: "Whether the credential works" }, (call) => ({
    id: call.identity.credential.id ?? call.identity.credential.kind,
    status: "active",
  }));
  add({ method: "GET", path: "/accounts", rule: SELF, summary: "Accounts of the caller" }, ({ identity, req }) =>
    pageOf([showAccount(identity.account)], req.query),
  );
  const read = { action: "read", of: "account" } as const;
  add({ method: "GET", path: "/accounts/:account", rule: read, summary: "An account" }, ({ account }) =>
    showAccount(account),
  );
  add({ method: "GET", path: "/memberships", rule: SELF, summary: "Accounts of the caller" }, ({ identity, req }) =>
    pageOf([showMembership(identity)], req.query),
  );
}

function showUser({ subject, email, name }: Identity): object {
  const id = createHash("sha256").update(subject).digest("hex").slice(0, 32);
  return { id, email: email ?? name, username: name };
}

function showAccount(account: string): object {
  return { id: account, name: account, type: "standard", settings: {} };
}

function showMembership({ account, role }: Identity): object {
  return { id: account, status: "accepted", account: showAccount(account), roles: [role] };
}
