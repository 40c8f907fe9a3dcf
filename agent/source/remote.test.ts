import assert from "node:assert/strict";
import { test } from "node:test";
import { WrkstError } from "../errors.js";
import { accessTo, parseRemote, validateBranch, validateRootPath } from "./remote.js";

const REFUSED = { name: "WrkstError", code: "ERR_GIT_REFUSED" };

test("reads the addresses that people write", () => {
  const cases: [string, string, string][] = [
    ["https://git.example.com/team/functions.git", "https", "https://git.example.com/team/functions.git"],
    ["https://git.example.com:8443/a/b", "https", "https://git.example.com:8443/a/b"],
    ["http://127.0.0.1:3000/a.git", "http", "http://127.0.0.1:3000/a.git"],
    ["git@git.example.com:team/functions.git", "ssh", "git@git.example.com:team/functions.git"],
    ["ssh://git@git.example.com:2222/team/functions.git", "ssh", "ssh://git@git.example.com:2222/team/functions.git"],
    ["/srv/git/functions", "local", "/srv/git/functions"],
    ["/srv/git/a:b", "local", "/srv/git/a:b"],
    ["file:///srv/git/functions.git", "local", "/srv/git/functions.git"],
  ];
  for (const [raw, kind, url] of cases) {
    const remote = parseRemote(raw, { local: true });
    assert.deepEqual([remote.kind, remote.url], [kind, url], raw);
  }
});

test("takes credentials out of the URL", () => {
  const remote = parseRemote("https://me:s%40cret@git.example.com/a.git", { local: false });
  assert.deepEqual(remote, { kind: "https", url: "https://git.example.com/a.git", username: "me", password: "s@cret" });
});

test("C2 refuses addresses that would be options, commands or other transports", () => {
  for (const raw of [
    "",
    "-oProxyCommand=id",
    "--upload-pack=id",
    "ext::sh -c id",
    "EXT::sh",
    "fd::17",
    "git://example.com/a",
    "ftp://example.com/a",
    "ssh://-oProxyCommand=id/a",
    "ssh://git@-oProxyCommand=id/a",
    "ssh://-x@host/a",
    "-oProxyCommand=id:a",
    "git@-oProxyCommand=id:a",
    "git@host:-a",
    "git@host:a b",
    "git@host:$(id)",
    "git@host:`id`",
    "a@b@host:x",
    "https://example.com/a\nb",
    "https://example.com/a?x=1",
    "https://example.com",
    "https:///a",
    "\u0000/srv",
  ]) {
    assert.throws(() => parseRemote(raw, { local: true }), REFUSED, raw);
  }
});

test("C2 refuses paths and file URLs unless they were configured", () => {
  for (const raw of ["/srv/git", "./x", "../x", "file:///srv/git", "FILE:///srv/git"]) {
    assert.throws(() => parseRemote(raw, { local: false }), REFUSED, raw);
  }
});

test("the refusal of an address does not repeat its password", () => {
  assert.throws(
    () => parseRemote("ssh://me:canary-password@host/a", { local: true }),
    (error) => error instanceof WrkstError && !JSON.stringify([error.message, error.hint]).includes("canary"),
  );
});

test("C2 checks branch names by git's grammar", () => {
  for (const good of ["main", "feature/a-b", "v1.2", "a@b", "ümlaut"]) assert.equal(validateBranch(good), good);
  for (const bad of [
    "",
    "-x",
    "--upload-pack=id",
    "a..b",
    "a b",
    "a:b",
    "a^",
    "a~1",
    "a*",
    "a?",
    "a[",
    "a\\b",
    "@",
    "a@{1}",
    "/a",
    "a/",
    "a//b",
    ".a",
    "a/.b",
    "a.lock",
    "a.lock/b",
    "a.",
    "a\nb",
    "a\u007f",
  ]) {
    assert.throws(() => validateBranch(bad), REFUSED, JSON.stringify(bad));
  }
});

test("C2 keeps the root path inside the repository", () => {
  assert.equal(validateRootPath(""), "");
  assert.equal(validateRootPath("/"), "");
  assert.equal(validateRootPath("./functions//a/"), "functions/a");
  for (const bad of ["..", "a/../b", "a\\b", "a\nb"]) assert.throws(() => validateRootPath(bad), REFUSED, bad);
});

test("a token stands in the environment of the process and nowhere else", () => {
  const remote = parseRemote("https://git.example.com:8443/a.git", { local: false });
  const access = accessTo(remote, { token: "canary-token" });
  assert.ok(!access.config.join(" ").includes("canary"));
  assert.ok(access.config[0]?.startsWith("credential.https://git.example.com:8443.helper="));
  assert.equal(access.environment.WRKST_GIT_PASSWORD, "canary-token");
  assert.equal(access.environment.GIT_ALLOW_PROTOCOL, "https");
});

test("ssh runs without prompts, with strict host keys, and with nothing of the user's settings", () => {
  const remote = parseRemote("git@git.example.com:a.git", { local: false });
  const { environment } = accessTo(remote, { sshKeyFile: "/keys/it's mine", knownHostsFile: "/keys/known 100%" });
  const command = environment.GIT_SSH_COMMAND ?? "";
  assert.ok(command.startsWith(`ssh -F /dev/null -i '/keys/it'\\''s mine' `), command);
  for (const option of [
    "BatchMode=yes",
    "StrictHostKeyChecking=yes",
    "GlobalKnownHostsFile=/dev/null",
    "IdentitiesOnly=yes",
    "IdentityAgent=none",
    "PermitLocalCommand=no",
  ]) {
    assert.ok(command.includes(`-o ${option}`), option);
  }
  assert.ok(command.includes(`-o 'UserKnownHostsFile="/keys/known 100%%"'`), command);
  assert.equal(environment.GIT_ALLOW_PROTOCOL, "ssh");
});

test("ssh without a key or without known hosts is refused", () => {
  const remote = parseRemote("git@git.example.com:a.git", { local: false });
  assert.throws(() => accessTo(remote, { knownHostsFile: "/k" }), REFUSED);
  assert.throws(() => accessTo(remote, { sshKeyFile: "/k" }), REFUSED);
});
