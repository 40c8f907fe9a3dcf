// The users: made at their first login, allowed by the rules of every moment. Invariant: identity is issuer and subject; an
// account never changes hands (SECURITY.md A3, A7).

import { randomUUID } from "node:crypto";
import { WrkstError } from "../errors.js";
import type { AccessRecords, Claims, Role, User } from "../model-access.js";
import type { Identity } from "./access.js";
import { accountName } from "./account-name.js";
import { type PersonRules, roleOf } from "./rules.js";

export interface Person extends Claims {
  preferredUsername: string | null;
}

/** A user who may log in now. */
export interface ActiveUser extends User {
  role: Role;
}

export interface UserChange {
  /** null: what the rules say. */
  role?: Role | null;
  disabled?: boolean;
}

export interface Users {
  /** After a login. @throws WrkstError ERR_FORBIDDEN for whom no rule allows, and who is disabled */
  admit(person: Person): ActiveUser;
  /** undefined: disabled, not allowed any more, unknown. */
  active(id: string): ActiveUser | undefined;
  /** What the rules of now make of a user; null: may not log in. */
  effectiveRole(user: User): Role | null;
  list(): User[];
  /** By id or a prefix of it, 8 or more, or by account. @throws WrkstError ERR_NOT_FOUND */
  find(id: string): User;
  /** Disabling ends the user's logins at once. @throws WrkstError ERR_CONFLICT for oneself */
  change(by: Identity, user: User, change: UserChange): User;
}

export function createUsers(records: AccessRecords, rules: PersonRules, now: () => number): Users {
  const withRole = (user: User | undefined): ActiveUser | undefined => {
    const role = user && roleOf(user, rules);
    return role && { ...user, role };
  };
  return {
    admit({ preferredUsername, ...claims }) {
      const known = records.userBySubject(claims.issuer, claims.subject);
      const role = roleOf({ ...known, ...claims }, rules);
      if (!role) throw refusal(claims, known?.disabled === true);
      if (known) {
        const user = { ...known, ...claims, lastLoginAt: now() };
        records.saveUser(user);
        return { ...user, role };
      }
      const account = accountName([claims.email, preferredUsername, claims.name], records.isAccountTaken);
      const dates = { createdAt: now(), lastLoginAt: now() };
      const user: User = { ...claims, id: randomUUID(), account, role: null, disabled: false, ...dates };
      records.addUser(user);
      return { ...user, role };
    },
    active: (id) => withRole(records.user(id)),
    effectiveRole: (user) => roleOf(user, rules) ?? null,
    list: () => records.users(),
    find(id) {
      const found = records.users().filter((user) => user.account === id || (id.length >= 8 && user.id.startsWith(id)));
      const [user] = found;
      if (user && found.length === 1) return user;
      throw new WrkstError("ERR_NOT_FOUND", `there is no user "${id}"`, { hint: "see: wrkst users list" });
    },
    change(by, user, change) {
      if (by.subject === user.id) {
        throw new WrkstError("ERR_CONFLICT", "nobody changes their own role", { hint: "ask another administrator" });
      }
      const changed = { ...user, ...change };
      records.transaction(() => {
        records.saveUser(changed);
        if (changed.disabled) records.removeFamiliesOf(user.id);
      });
      return changed;
    },
  };
}

function refusal({ email, emailVerified, subject }: Claims, isDisabled: boolean): WrkstError {
  const who = email ?? subject;
  if (isDisabled) return new WrkstError("ERR_FORBIDDEN", `"${who}" was disabled by an administrator`);
  const hint =
    email !== null && !emailVerified
      ? "the provider has not verified the e-mail address: verify it there, or ask an administrator"
      : `ask an administrator: a rule of OIDC_ALLOW must name you, for example "sub:${subject}"`;
  return new WrkstError("ERR_FORBIDDEN", `no rule lets "${who}" in`, { hint });
}
