import assert from "node:assert/strict";
import { test } from "node:test";
import { Expected, parseGitHost } from "./config-values.js";

const taken: [string, { host: string; port?: number }][] = [
  ["git.example.com", { host: "git.example.com" }],
  ["Git.Example.com.", { host: "git.example.com" }],
  ["git.example.com:3000", { host: "git.example.com", port: 3000 }],
  ["10.0.0.5", { host: "10.0.0.5" }],
  ["10.0.0.5:22", { host: "10.0.0.5", port: 22 }],
  ["[::1]", { host: "::1" }],
  ["[2001:DB8:0:0::1]:8443", { host: "2001:db8::1", port: 8443 }],
  ["build_server", { host: "build_server" }],
];
for (const [raw, expected] of taken) {
  test(`takes "${raw}" as a host of git`, () => assert.deepEqual(parseGitHost(raw), expected));
}

for (const raw of [
  "",
  "a:0",
  "a:65536",
  "a:b",
  "::1",
  "[::1",
  "[host]",
  "https://a",
  "a/b",
  "me@a",
  "-a",
  "a b",
  "*",
]) {
  test(`refuses "${raw}" as a host of git`, () => assert.ok(parseGitHost(raw) instanceof Expected));
}
