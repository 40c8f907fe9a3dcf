import assert from "node:assert/strict";
import { test } from "node:test";
import type { Claims, PersonRule, User } from "../model-access.js";
import { accountName } from "./account-name.js";
import { isScope, scopesOf } from "./clients.js";
import { roleOf } from "./rules.js";

const ann: Claims = {
  issuer: "https://id.example",
  subject: "1234",
  email: "Ann@Example.com",
  emailVerified: true,
  name: "Ann",
  groups: ["devs", "team-a"],
};
const email = (pattern: string): PersonRule => ({ claim: "email", pattern });
const group = (pattern: string): PersonRule => ({ claim: "group", pattern });
const sub = (pattern: string): PersonRule => ({ claim: "sub", pattern });

const cases: [string, PersonRule, Partial<Claims>, boolean][] = [
  ["everybody", { claim: "everybody" }, {}, true],
  ["an address, whatever its case", email("ann@example.com"), {}, true],
  ["a domain", email("*@example.com"), {}, true],
  ["a domain, but an unverified address", email("*@example.com"), { emailVerified: false }, false],
  [
    "a domain that the address only begins with",
    email("*@example.com"),
    { email: "a@example.com.evil.example" },
    false,
  ],
  ["a domain below the one named", email("*@example.com"), { email: "a@sub.example.com" }, false],
  ["an address with two signs", email("*@example.com"), { email: "a@b@example.com" }, false],
  ["a dot that is no dot", email("*@example.com"), { email: "a@exampleXcom" }, false],
  ["no address", email("*@example.com"), { email: null }, false],
  ["a group", group("devs"), {}, true],
  ["groups by pattern", group("team-*"), {}, true],
  ["a group of another case", group("Devs"), {}, false],
  ["a part of a group's name", group("dev"), {}, false],
  ["a subject", sub("1234"), {}, true],
  ["a subject that would be a pattern", sub("*"), {}, false],
];
for (const [name, rule, change, expected] of cases) {
  test(`a rule of ${name} ${expected ? "fits" : "does not fit"} (A3, A7)`, () => {
    const claims = { ...ann, ...change };
    assert.equal(roleOf(claims, { allow: [rule], admins: [] }), expected ? "deployer" : undefined);
    assert.equal(roleOf(claims, { allow: [], admins: [rule] }), expected ? "admin" : undefined);
  });
}

test("an administrator's word on a role counts within the rules, never beyond them (A7)", () => {
  const rules = { allow: [email("*@example.com")], admins: [] };
  const user = (change: Partial<User>) => ({ ...ann, role: null, disabled: false, ...change });
  assert.equal(roleOf(user({ role: "admin" }), rules), "admin");
  assert.equal(roleOf(user({ role: "viewer" }), { ...rules, admins: rules.allow }), "viewer");
  assert.equal(roleOf(user({ role: "admin" }), { allow: [], admins: [] }), undefined);
  assert.equal(roleOf(user({ role: "admin", disabled: true }), rules), undefined);
});

const names: [(string | null)[], string][] = [
  [["Ann.Lee+fn@example.com"], "ann-lee-fn"],
  [["Zoë.Ångström@example.com"], "zoe-angstrom"],
  [[null, "bob"], "bob"],
  [["李@example.com", null, "--"], "user"],
  [["main@example.com"], "main-2"],
  [["admin@example.com"], "admin-2"],
  [["taken@example.com"], "taken-3"],
  [[`${"x".repeat(80)}@example.com`], "x".repeat(40)],
];
for (const [called, expected] of names) {
  test(`the account of ${JSON.stringify(called)} is "${expected}"`, () => {
    assert.equal(
      accountName(called, (name) => name === "taken" || name === "taken-2"),
      expected,
    );
  });
}

test("scopes of wrangler have our meaning, unknown ones have none", () => {
  assert.deepEqual(scopesOf("account:read offline_access"), ["read"]);
  assert.deepEqual(scopesOf("workers:write d1:write zone:read"), ["read", "deploy"]);
  assert.deepEqual(scopesOf("openid profile constructor __proto__"), []);
  assert.deepEqual(scopesOf("git admin"), ["git", "admin"]);
  for (const odd of ["", " a", "a  b", 'a"', "a\nb", "ä"]) assert.equal(isScope(odd), false, odd);
});
