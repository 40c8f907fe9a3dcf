// The repository that the environment names: paths of this machine, remotes over http, and all that may happen to a branch.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHmac, randomUUID } from "node:crypto";
import { rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { promisify } from "node:util";
import type { PassReport, SourceStatus } from "../agent/model.js";
import { createSshKey, type SshKey } from "../agent/source/signatures/testing.js";
import { functionFiles, startAgent, type TestAgent, type TestRepository, until } from "./harness.js";
import { answers, remoteOf, sourceNamed, temporaryFolder, workingCopy } from "./remotes.js";

const run = promisify(execFile);

async function start(t: TestContext, env: Record<string, string>): Promise<TestAgent> {
  const agent = await startAgent({ env: { GIT_POLL_INTERVAL: "0", ...env } });
  t.after(() => agent.stop());
  return agent;
}

async function source(agent: TestAgent): Promise<SourceStatus> {
  return (await agent.status()).sources[0]!;
}

async function sync(agent: TestAgent): Promise<PassReport> {
  return agent.api<PassReport>("/api/v1/sources/default/sync?wait=true", { method: "POST" });
}

test("a commit in a working copy on this machine is live by itself, from the first one on", async (t) => {
  const repository = await workingCopy(t);
  const agent = await start(t, { GIT_REPO: repository.dir });
  assert.equal((await source(agent)).state, "empty");
  assert.equal((await agent.request("hello")).status, 404);
  await repository.commit(functionFiles("hello", "one"));
  await answers(agent, "hello", "one");
  await repository.commit(functionFiles("hello", "two"));
  await answers(agent, "hello", "two");
  const { repo, state, revision } = await source(agent);
  assert.deepEqual([repo, state], [repository.dir, "ready"]);
  assert.equal(revision, `main@sha1:${await repository.git("rev-parse", "HEAD")}`);
});

test("what serves survives a rewritten history, a deleted branch and a repository that is away for a while", async (t) => {
  const folder = await temporaryFolder(t);
  const bare = join(folder, "functions.git");
  const repository = await workingCopy(t);
  await repository.commit(functionFiles("hello", "one"));
  await repository.commit(functionFiles("hello", "two"));
  await run("git", ["clone", "--quiet", "--bare", repository.dir, bare]);
  const agent = await start(t, { GIT_REPO: bare });
  assert.equal((await agent.request("hello")).text, "two");

  await repository.git("reset", "--quiet", "--hard", "HEAD~1");
  await repository.commit(functionFiles("other", "rewritten"));
  await repository.git("push", "--quiet", "--force", bare, "main");
  await answers(agent, "other", "rewritten");
  assert.equal((await agent.request("hello")).text, "one");

  await run("git", ["-C", bare, "update-ref", "-d", "refs/heads/main"]);
  await until("status says that the branch is gone", async () => (await source(agent)).state === "empty");
  const { error, revision } = await source(agent);
  assert.equal(error?.code, "ERR_GIT_NO_BRANCH");
  assert.equal(revision, `main@sha1:${await repository.git("rev-parse", "HEAD")}`);
  assert.equal((await agent.request("hello")).text, "one");

  await repository.commit(functionFiles("hello", "three"));
  await repository.git("push", "--quiet", bare, "main");
  await answers(agent, "hello", "three");
  await until("status is well again", async () => (await source(agent)).state === "ready");
  assert.equal((await source(agent)).error, undefined);

  await rename(bare, `${bare}.away`);
  const away = await sync(agent);
  assert.deepEqual([away.result, away.error?.code], ["failed", "ERR_GIT_UNREACHABLE"]);
  assert.equal((await source(agent)).state, "failed");
  assert.equal((await agent.request("hello")).text, "three");
  await repository.commit(functionFiles("hello", "four"));
  await repository.git("push", "--quiet", `${bare}.away`, "main");
  await rename(`${bare}.away`, bare);
  await answers(agent, "hello", "four");
  const kinds = (await agent.events()).map(({ kind }) => kind);
  assert.ok(kinds.includes("source.failed") && kinds.includes("source.recovered"), kinds.join(" "));
});

test("a remote over http is polled with the token, which nobody gets to see; D4 what serves outlasts a cut line and a revoked token", async (t) => {
  const { bare, repository, url, token, state } = await remoteOf(t);
  const credentials = { GIT_REPO: url, GIT_TOKEN: token, GIT_USERNAME: "robot" };
  const agent = await start(t, { ...credentials, GIT_POLL_INTERVAL: "200ms", LOG_LEVEL: "trace" });
  assert.equal((await agent.request("hello")).text, "one");
  await repository.commit(functionFiles("hello", "two"));
  await repository.git("push", "--quiet", bare, "main");
  await answers(agent, "hello", "two");
  const told = `${agent.output()}${JSON.stringify([await agent.status(), await agent.events()])}`;
  assert.equal(told.includes(token), false);
  assert.equal((await source(agent)).repo, url);
  for (const [fault, code] of [
    ["cut", "ERR_GIT_UNREACHABLE"],
    ["revoked", "ERR_GIT_AUTH"],
  ] as const) {
    state.fault = fault;
    await until(`status says ${code}`, async () => (await source(agent)).error?.code === code);
    assert.deepEqual([(await source(agent)).state, (await agent.request("hello")).status], ["failed", 200]);
    await repository.commit(functionFiles("hello", `after ${fault}`));
    await repository.git("push", "--quiet", bare, "main");
    delete state.fault;
    await answers(agent, "hello", `after ${fault}`);
    await until("status is well again", async () => (await source(agent)).state === "ready");
  }
});

test("a wrong token is told as such, and what serves stays", async (t) => {
  const { url } = await remoteOf(t);
  const agent = await start(t, { GIT_REPO: url, GIT_TOKEN: "wrong", GIT_USERNAME: "robot" });
  const { state, error } = await source(agent);
  assert.deepEqual([state, error?.code], ["failed", "ERR_GIT_AUTH"]);
});

test("webhooks and a sync by the API bring in what a remote has, also when it shows it only after the hook, and say what they did", async (t) => {
  const { bare, repository, url, token } = await remoteOf(t);
  const secret = "the secret of the webhook";
  const agent = await start(t, { GIT_REPO: url, GIT_TOKEN: token, GIT_USERNAME: "robot", WEBHOOK_SECRET: secret });
  const deliver = async (
    path: string,
    body: string,
    headersOf: (signature: string) => Record<string, string>,
    key = secret,
  ) =>
    agent.request("localhost", `/webhooks/default/${path}`, {
      ...{ method: "POST", body },
      headers: {
        "content-type": "application/json",
        ...headersOf(createHmac("sha256", key).update(body).digest("hex")),
      },
    });
  const github = (commit: string, key?: string) =>
    deliver(
      "github",
      JSON.stringify({ ref: "refs/heads/main", after: commit, deleted: false }),
      (signature) => ({
        "x-github-event": "push",
        "x-github-delivery": randomUUID(),
        "x-hub-signature-256": `sha256=${signature}`,
      }),
      key,
    );
  const two = await repository.commit(functionFiles("hello", "two"));
  await repository.git("push", "--quiet", bare, "main");
  assert.equal((await github(two, "another secret")).status, 401);
  assert.equal((await agent.request("hello")).text, "one");
  assert.equal((await github(two)).status, 202);
  await answers(agent, "hello", "two");

  const three = await repository.commit(functionFiles("hello", "three"));
  await repository.git("push", "--quiet", bare, "main");
  const report = await sync(agent);
  assert.deepEqual([report.result, report.from, report.to], ["switched", `main@sha1:${two}`, `main@sha1:${three}`]);
  assert.deepEqual(
    report.functions.map(({ name, result }) => [name, result]),
    [["hello", "updated"]],
  );
  assert.equal((await agent.request("hello")).text, "three");

  const four = await repository.commit(functionFiles("hello", "four"));
  const pushed = JSON.stringify({ ref: "refs/heads/main", before: three, after: four, commits: [{ id: four }] });
  const accepted = await deliver("gitea", pushed, (signature) => ({
    ...{ "x-gitea-event": "push", "x-gitea-delivery": randomUUID(), "x-gitea-signature": signature },
  }));
  const { job } = JSON.parse(accepted.text) as { job: string };
  assert.equal(accepted.status, 202);
  await repository.git("push", "--quiet", bare, "main");
  await answers(agent, "hello", "four");
  await until("the job is done", async () => {
    const { state, report } = await agent.api<{ state: string; report?: PassReport }>(`/api/v1/jobs/${job}`);
    return state === "done" && report?.to === `main@sha1:${four}`;
  });

  const five = await repository.commit(functionFiles("hello", "five"));
  await repository.git("push", "--quiet", bare, "main");
  const waited = await deliver("generic?wait=true", "", (signature) => ({ "x-signature": `sha256=${signature}` }));
  assert.equal((JSON.parse(waited.text) as PassReport).to, `main@sha1:${five}`);
  assert.equal((await agent.request("hello")).text, "five");
});

test("GIT_PATH, GIT_BRANCH and WRANGLER_ENV choose what of the repository is deployed, and how", async (t) => {
  const repository = await workingCopy(t);
  await repository.git("checkout", "--quiet", "-b", "live");
  const { "staged/wrangler.toml": base, "staged/index.ts": code } = functionFiles("staged", "");
  await repository.commit({
    "services/a/staged/wrangler.toml": `${base}[vars]\nSTAGE = "none"\n[env.production]\nname = "staged"\nvars = { STAGE = "production" }\n`,
    "services/a/staged/index.ts": code!.replace(
      'fetch(): Response { return new Response("")',
      "fetch(_: Request, env: { STAGE: string }): Response { return new Response(env.STAGE)",
    ),
    ...functionFiles("elsewhere", "not deployed"),
  });
  const env = { GIT_REPO: repository.dir, GIT_BRANCH: "live", GIT_PATH: "services/a", WRANGLER_ENV: "production" };
  const agent = await start(t, env);
  const { functions } = await agent.status();
  assert.deepEqual(
    functions.map(({ name, state, folder }) => [name, state, folder]),
    [["staged", "ready", "staged"]],
  );
  assert.equal((await agent.request("staged")).text, "production");
  assert.equal((await agent.request("elsewhere")).status, 404);
});

/** Keys that sign the commits of a working copy, and a file that allows some of them. */
async function signersOf(t: TestContext, repository: TestRepository) {
  const folder = await temporaryFolder(t);
  const [ana, eve] = await Promise.all([createSshKey(folder, "ana"), createSshKey(folder, "eve")]);
  const file = join(folder, "signers");
  const allow = (...keys: SshKey[]) =>
    writeFile(file, keys.map(({ publicKey }) => `ana@example.com ${publicKey}\n`).join(""));
  const signWith = async (key: SshKey | undefined) => {
    await repository.git("config", "gpg.format", "ssh");
    await repository.git("config", "user.signingKey", key?.file ?? "");
    await repository.git("config", "commit.gpgSign", String(key !== undefined));
  };
  await allow(ana);
  return { file, ana, eve, allow, signWith };
}

test("with GIT_VERIFY_SIGNERS only what they signed is deployed, and what serves says who signed it", async (t) => {
  const repository = await workingCopy(t);
  const { file, ana, eve, allow, signWith } = await signersOf(t, repository);
  const agent = await start(t, { GIT_VERIFY_SIGNERS: file });
  const push = async (key: SshKey | undefined, text: string) => {
    await signWith(key);
    await repository.commit(functionFiles("hello", text));
    const { ok, output } = await repository.push(agent);
    assert.ok(ok, output);
    return output;
  };
  const first = await push(ana, "one");
  assert.ok(first.includes(`signed by   ana@example.com (SSH key ${ana.fingerprint})`), first);
  const signedBy = { what: "commit", kind: "ssh", name: "ana@example.com", fingerprint: ana.fingerprint };
  assert.deepEqual((await source(agent)).signedBy, signedBy);
  const { settings } = await sourceNamed(agent, "default");
  assert.deepEqual(settings.verify, { what: "commit", signers: `ana@example.com ${ana.publicKey}\n` });

  assert.match(await push(undefined, "two"), /wrkst: kept, not deployed: the commit is not signed/);
  assert.ok((await push(eve, "three")).includes(eve.fingerprint));
  const { state, error, signedBy: serving, revision } = await source(agent);
  assert.deepEqual([state, error?.code, serving], ["failed", "ERR_GIT_UNVERIFIED", signedBy]);
  assert.equal(revision, `main@sha1:${await repository.git("rev-parse", "HEAD~2")}`);
  assert.equal((await agent.request("hello")).text, "one");
  const told = (await agent.events())
    .filter(({ error: why }) => why?.code === "ERR_GIT_UNVERIFIED")
    .map(({ message }) => message);
  assert.ok(told.length === 2 && told.some((message) => message.includes(eve.fingerprint)), told.join("\n"));

  await allow(ana, eve);
  assert.equal((await sync(agent)).signedBy?.fingerprint, eve.fingerprint);
  assert.equal((await agent.request("hello")).text, "three");
  await allow(ana);
  const report = await sync(agent);
  assert.deepEqual([report.result, report.error?.code], ["failed", "ERR_GIT_UNVERIFIED"]);
  assert.equal((await agent.request("hello")).text, "three");
  const aside = await repository.push(agent, "HEAD:aside");
  assert.match(aside.output, /wrkst: no preview of aside: .*key/);
  assert.equal((await agent.request("aside--hello")).status, 404);
});

test("other branches that are pushed to the embedded repository are previewed and not deployed", async (t) => {
  const repository = await workingCopy(t);
  const agent = await start(t, {});
  assert.equal((await source(agent)).state, "empty");
  await repository.commit(functionFiles("hello", "one"));
  const aside = await repository.push(agent, "HEAD:aside");
  assert.match(aside.output, /preview +hello +http:\/\/aside--hello\./);
  assert.equal((await agent.request("hello")).status, 404);
  assert.equal((await agent.request("aside--hello")).text, "one");
  assert.match((await repository.push(agent)).output, /created\s+hello/);
  assert.equal((await agent.request("hello")).text, "one");
  const gone = await repository.push(agent, "--delete", "main");
  assert.match(gone.output, /branch "main" is gone; what serves stays/);
  assert.equal((await agent.request("hello")).text, "one");
  assert.match(await repository.git("ls-remote", await agent.remote()), /refs\/heads\/aside/);
});
