import assert from "node:assert/strict";
import { test } from "node:test";
import { effectiveScopes, type Identity, permits, type Role } from "./access.js";

const who = (role: Role, account: string): Identity => ({
  ...{ subject: "u", name: "u", email: null, role, account, scopes: ["read"], isBound: false },
  credential: { kind: "access-token", id: null },
});

test("A7 lets nobody but admins hear the functions of an account that is not their own", () => {
  for (const role of ["deployer", "viewer"] as const) {
    assert.equal(permits(who(role, "ana"), "logs"), true);
    assert.equal(permits(who(role, "ana"), "logs", "main"), false);
    assert.equal(permits(who(role, "ana"), "logs", "ben"), false);
    assert.equal(permits(who(role, "ana"), "read", "main"), true);
  }
  assert.equal(permits(who("admin", "main"), "logs", "ben"), true);
  assert.equal(permits({ ...who("admin", "main"), isBound: true }, "logs", "ben"), false);
  assert.equal(permits({ ...who("viewer", "ana"), scopes: [] }, "logs"), false);
});

test("shows of the scopes what the role has of them", () => {
  const all = ["read", "deploy", "git", "admin"] as const;
  assert.deepEqual(effectiveScopes("viewer", all), ["read"]);
  assert.deepEqual(effectiveScopes("deployer", all), ["read", "deploy"]);
  assert.deepEqual(effectiveScopes("deployer", ["deploy", "git"]), ["deploy"]);
  assert.deepEqual(effectiveScopes("admin", all), all);
  assert.deepEqual(effectiveScopes("admin", ["git"]), ["git"]);
});
