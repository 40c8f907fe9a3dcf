import assert from "node:assert/strict";
import { createServer, type Socket } from "node:net";
import { test } from "node:test";
import { classify, gitEnvironment, openGit, redact, runGit, UNSAFE_FLAGS } from "./git.js";
import { bareRepository, temporaryFolder } from "./test-repository.js";

test("exactly these protections of simple-git are off", () => {
  assert.deepEqual(Object.keys(UNSAFE_FLAGS).sort(), [
    "allowUnsafeConfigPaths",
    "allowUnsafeCredentialHelper",
    "allowUnsafeFsMonitor",
    "allowUnsafeHooksPath",
    "allowUnsafeTemplateDir",
  ]);
});

test("the other protections of simple-git are on", async (t) => {
  const git = openGit(await temporaryFolder(t));
  for (const args of [
    ["-c", "core.sshCommand=id", "version"],
    ["-c", "protocol.ext.allow=always", "version"],
    ["-c", "core.editor=id", "version"],
    ["ls-remote", "--upload-pack=id", "/"],
  ]) {
    await assert.rejects(git.raw(args), /not permitted/, args.join(" "));
  }
});

test("git sees nothing of the agent's environment but what is named", () => {
  const environment = gitEnvironment({
    PATH: "/bin",
    GIT_DIR: "/x",
    HOME: "/root",
    SECRET: "x",
    HTTPS_PROXY: "http://p",
    LD_PRELOAD: "x",
  });
  assert.equal(environment.PATH, "/bin");
  assert.equal(environment.HTTPS_PROXY, "http://p");
  assert.equal(environment.HOME, "/dev/null");
  assert.equal(environment.GIT_CONFIG_GLOBAL, "/dev/null");
  for (const name of ["GIT_DIR", "SECRET", "LD_PRELOAD"]) assert.equal(environment[name], undefined);
});

test("what git says becomes a code", () => {
  const cases: [string, string][] = [
    ["fatal: Authentication failed for 'https://x/'", "ERR_GIT_AUTH"],
    ["fatal: could not read Username for 'https://x': terminal prompts disabled", "ERR_GIT_AUTH"],
    ["git@x: Permission denied (publickey).\nfatal: Could not read from remote repository.", "ERR_GIT_AUTH"],
    ["Host key verification failed.\nfatal: Could not read from remote repository.", "ERR_GIT_AUTH"],
    ["fatal: unable to access 'https://x/': The requested URL returned error: 403", "ERR_GIT_AUTH"],
    ["fatal: unable to access 'https://x/': Could not resolve host: x", "ERR_GIT_UNREACHABLE"],
    ["fatal: unable to access 'https://x/': The requested URL returned error: 502", "ERR_GIT_UNREACHABLE"],
    ["fatal: repository 'https://x/' not found", "ERR_GIT_UNREACHABLE"],
    ["fatal: '/x' does not appear to be a git repository", "ERR_GIT_UNREACHABLE"],
    ["fatal: couldn't find remote ref refs/heads/x", "ERR_GIT_NO_BRANCH"],
    ["fatal: transport 'ext' not allowed", "ERR_GIT_REFUSED"],
    ["error: object 1: hasDotgit: contains '.git'\nfatal: fsck error in packed object", "ERR_TREE_REFUSED"],
    ["fatal: write error: No space left on device\nfatal: early EOF", "ERR_GIT"],
    ["fatal: bad object 123", "ERR_GIT"],
    ["", "ERR_GIT"],
  ];
  for (const [words, code] of cases) assert.equal(classify("x", words).code, code, words);
});

test("credentials and control characters never reach a message", () => {
  const error = classify("x", "fatal: unable to access 'https://me:canary@host/': canary-token \u001b[31m", [
    "canary-token",
  ]);
  assert.ok(!/canary|\u001b/.test(error.message), error.message);
  assert.equal(redact("https://a@b/c ssh://git@h/x"), "https://b/c ssh://h/x");
});

/** A server that takes connections and never says a word. */
async function silentServer(t: { after(done: () => void): void }) {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => {});
    socket.resume();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const { port } = server.address() as { port: number };
  return { url: `http://127.0.0.1:${port}/x.git`, sockets };
}

test("a git that hangs is ended with everything it started", async (t) => {
  const { url, sockets } = await silentServer(t);
  const gitDir = await bareRepository(`${await temporaryFolder(t)}/a.git`);
  const options = { gitDir, what: "listing", environment: gitEnvironment({}, { GIT_ALLOW_PROTOCOL: "http" }) };
  await assert.rejects(runGit(["ls-remote", url], { ...options, timeout: 300 }), { code: "ERR_GIT_UNREACHABLE" });
  while (sockets.size > 0) await new Promise((resolve) => setTimeout(resolve, 5));
});

test("an aborted git throws the reason of the signal", async (t) => {
  const { url, sockets } = await silentServer(t);
  const gitDir = await bareRepository(`${await temporaryFolder(t)}/a.git`);
  const abort = new AbortController();
  const options = {
    gitDir,
    what: "listing",
    environment: gitEnvironment({}, { GIT_ALLOW_PROTOCOL: "http" }),
    signal: abort.signal,
  };
  const listing = runGit(["ls-remote", url], options);
  while (sockets.size === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  abort.abort(new Error("superseded"));
  await assert.rejects(listing, /superseded/);
});
