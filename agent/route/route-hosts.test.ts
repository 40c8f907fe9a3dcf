import assert from "node:assert/strict";
import { test } from "node:test";
import { refusalOfHost, routeHosts } from "./route-hosts.js";

const rules = { baseDomain: "base.example", reservedHosts: ["api.example.com"] };

const refused = [
  "base.example",
  "a.base.example",
  "x.a.base.example",
  "api.example.com",
  "localhost",
  "a.localhost",
  "127.0.0.1",
  "::1",
  "[::1]",
];
for (const host of refused) {
  test(`no function may have the host ${host}`, () => {
    assert.ok(refusalOfHost(host, rules));
    assert.deepEqual(routeHosts([{ account: "main", name: "a", hosts: { [host]: 1 } }], rules), new Map());
  });
}

for (const host of ["shop.example.com", "evilbase.example", "base.example.com", "notlocalhost"]) {
  test(`a function may have the host ${host}`, () => assert.equal(refusalOfHost(host, rules), undefined));
}

test("of several claims on a host the oldest wins, then the first name", () => {
  const owned = routeHosts(
    [
      { account: "main", name: "b", hosts: { "x.example": 5, "same.example": 1, "b.example": 1 } },
      { account: "ann", name: "a", hosts: { "x.example": 9, "same.example": 1 } },
      { account: "main", name: "c", hosts: { "x.example": 4, "a.example": 1 } },
    ],
    rules,
  );
  assert.deepEqual(
    owned,
    new Map([
      ["b", ["b.example"]],
      ["a", ["same.example"]],
      ["c", ["a.example", "x.example"]],
    ]),
  );
});
