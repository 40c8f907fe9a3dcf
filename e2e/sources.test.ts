// Repositories that are not the embedded one: paths of this machine, remotes over http, and all that may happen to a branch.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHmac, randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, readdir, rename, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { promisify } from "node:util";
import type { PassReport, SourceDetail, SourceStatus } from "../agent/model.js";
import { listen } from "../agent/notify/testing.js";
import { openGitHandler } from "../agent/source/git-http.js";
import { createSshKey, type SshKey } from "../agent/source/signatures/testing.js";
import { createRepository, functionFiles, startAgent, type TestAgent, type TestRepository, until } from "./harness.js";

const run = promisify(execFile);

async function temporaryFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "wrkst-sources-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

async function start(t: TestContext, env: Record<string, string>): Promise<TestAgent> {
  const agent = await startAgent({ env: { GIT_POLL_INTERVAL: "0", ...env } });
  t.after(() => agent.stop());
  return agent;
}

async function workingCopy(t: TestContext): Promise<TestRepository> {
  const repository = await createRepository();
  t.after(() => repository.remove());
  return repository;
}

async function source(agent: TestAgent): Promise<SourceStatus> {
  return (await agent.status()).sources[0]!;
}

/** Waits until the function answers the text. */
async function answers(agent: TestAgent, name: string, text: string): Promise<void> {
  await until(`"${name}" answers "${text}"`, async () => (await agent.request(name)).text === text);
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

/** Serves the repository below `folder` over http to whoever knows the token, unless it is revoked or the line is cut. */
async function serveGit(
  t: TestContext,
  folder: string,
  token: string,
  state: { fault?: "revoked" | "cut" },
): Promise<string> {
  const git = openGitHandler({ dir: join(folder, "remote.git"), hooksDir: folder, onPush: async () => {} });
  const expected = `Basic ${Buffer.from(`robot:${token}`).toString("base64")}`;
  const server = createServer((req, res) => {
    if (state.fault === "cut") return req.socket.destroy();
    if (state.fault !== "revoked" && req.headers.authorization === expected)
      return git.handle(req, res, (req.url ?? "").split("?")[0]!, "robot");
    res.writeHead(401, { "WWW-Authenticate": 'Basic realm="git"' }).end();
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(async () => {
    await git.close();
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  assert.ok(address && typeof address === "object");
  return `http://127.0.0.1:${address.port}/remote.git`;
}

async function remoteOf(t: TestContext, files = functionFiles("hello", "one")) {
  const folder = await temporaryFolder(t);
  const bare = join(folder, "remote.git");
  const repository = await workingCopy(t);
  await repository.commit(files);
  await run("git", ["clone", "--quiet", "--bare", repository.dir, bare]);
  const token = `canary-${randomUUID()}`;
  const state: { fault?: "revoked" | "cut" } = {};
  return { bare, repository, url: await serveGit(t, folder, token, state), token, state };
}

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

/** Asks the API as the administrator. */
async function ask(agent: TestAgent, method: string, path: string, body?: object) {
  const { status, text } = await agent.request("localhost", `/api/v1/${path}`, {
    ...{ method, headers: { authorization: `Bearer ${await agent.token()}`, "content-type": "application/json" } },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status, text, json: text === "" ? {} : (JSON.parse(text) as Record<string, unknown>) };
}

const sourceNamed = (agent: TestAgent, name: string) => agent.api<SourceDetail>(`/api/v1/sources/${name}`);

const namesOf = async (agent: TestAgent) =>
  (await agent.api<{ sources: SourceStatus[] }>("/api/v1/sources")).sources.map(({ name }) => name);

test("sources that people add are followed beside the one of the environment, by address, credentials and name", async (t) => {
  const dataDir = await temporaryFolder(t);
  const shop = await remoteOf(t, functionFiles("hello", "shop"));
  const blog = await remoteOf(t, { ...functionFiles("hello", "blog"), ...functionFiles("posts", "posts") });
  const own = { GIT_ALLOW_HOSTS: "127.0.0.1", NOTIFY_ALLOW_HOSTS: "127.0.0.1" };
  const options = { dataDir, env: { GIT_POLL_INTERVAL: "0", ...own, LOG_LEVEL: "trace" } };
  let agent = await startAgent(options);
  t.after(() => agent.stop());
  const credentials = { username: "robot", token: shop.token };
  const add = (more: object) =>
    ask(agent, "POST", "sources", { name: "shop", repo: shop.url, interval: null, ...more });

  await t.test("a wrong credential or address is told at once, and nothing of it is kept", async () => {
    const refusals: [object, number, string][] = [
      [{ credentials: { ...credentials, token: "wrong" } }, 502, "ERR_GIT_AUTH"],
      [{ repo: shop.url.replace("127.0.0.1", "localhost"), credentials }, 400, "ERR_GIT_REFUSED"],
      [{ repo: shop.bare }, 400, "ERR_GIT_REFUSED"],
      [{ repo: shop.url.replace("http://", "http://robot:secret@") }, 400, "ERR_INVALID"],
      [{ name: "default", credentials }, 409, "ERR_CONFLICT"],
      [{ name: "Shop", credentials }, 400, "ERR_INVALID"],
      [{ account: "nobody", credentials }, 400, "ERR_INVALID"],
    ];
    for (const [more, status, code] of refusals) {
      const answer = await add(more);
      assert.deepEqual([answer.status, answer.json.code], [status, code], answer.text);
    }
    assert.deepEqual(await namesOf(agent), ["default"]);
    assert.deepEqual(await readdir(join(dataDir, "git/sources")).catch(() => []), []);
    for (const method of ["PATCH", "DELETE"]) {
      const answer = await ask(agent, method, "sources/default", method === "PATCH" ? { path: "a" } : undefined);
      assert.deepEqual([answer.status, answer.json.code], [409, "ERR_CONFLICT"]);
    }
  });

  await t.test("an added source serves, and one that claims its name says so", async () => {
    const added = await add({ credentials });
    assert.equal(added.status, 201, added.text);
    assert.deepEqual(added.json.credentials, ["username", "token"]);
    await answers(agent, "hello", "shop");
    const second = await add({ name: "blog", repo: blog.url, credentials: { ...credentials, token: blog.token } });
    assert.equal(second.status, 201, second.text);
    await answers(agent, "posts", "posts");
    await until("the second one is told", async () => {
      const { functions } = await agent.status();
      return functions.some(
        ({ name, source: of, state }) => name === "hello" && of === "blog" && state === "name-taken",
      );
    });
    assert.equal((await agent.request("hello")).text, "shop");
  });

  await t.test("its forge and a receiver hear of a push, which a receiver that hangs does not hold up", async () => {
    const others = await listen();
    t.after(() => others.close());
    const { answer } = others;
    others.answer = (res, heard) => (heard.path === "/hangs" ? undefined : answer(res, heard));
    const forge = {
      provider: "gitea",
      api: `${others.url}/api/v1`,
      repository: "you/shop",
      token: "t0ken-of-the-forge",
    };
    const shown = await ask(agent, "PUT", "sources/shop/commit-status", forge);
    assert.equal(shown.status, 200, shown.text);
    for (const name of ["hangs", "hears"]) {
      const receiver = {
        name,
        kind: "webhook",
        address: `${others.url}/${name}`,
        events: ["function.*"],
        sources: ["shop"],
      };
      assert.equal((await ask(agent, "POST", "notifications", receiver)).status, 201);
    }
    await shop.repository.commit(functionFiles("hello", "told"));
    await shop.repository.git("push", "--quiet", shop.bare, "main");
    const commit = await shop.repository.git("rev-parse", "HEAD");
    await ask(agent, "POST", "sources/shop/sync?wait=true");
    await answers(agent, "hello", "told");
    const bodies = (path: string) =>
      others.heard.filter((heard) => heard.path === path).map(({ body }) => JSON.parse(body) as Record<string, string>);
    await until("the forge shows the commit as live, and the receiver knows", async () => {
      const states = bodies(`/api/v1/repos/you/shop/statuses/${commit}`).map(({ state }) => state);
      return states.at(-1) === "success" && bodies("/hears").some(({ type }) => type === "function.updated");
    });
    const { commitStatus } = await sourceNamed(agent, "shop");
    assert.deepEqual([commitStatus?.repository, commitStatus?.problem], ["you/shop", undefined]);
    assert.ok(!agent.output().includes(forge.token) && !JSON.stringify(await agent.events()).includes(forge.token));
  });

  await t.test("an edit follows another branch, and a restart keeps settings and credentials", async () => {
    await shop.repository.git("checkout", "--quiet", "-b", "live");
    await shop.repository.commit(functionFiles("hello", "live"));
    await shop.repository.git("push", "--quiet", shop.bare, "live");
    const wrong = await ask(agent, "PATCH", "sources/shop", { credentials: { token: "wrong" } });
    assert.deepEqual([wrong.status, wrong.json.code], [502, "ERR_GIT_AUTH"]);
    const edited = await ask(agent, "PATCH", "sources/shop", { follow: { branch: "live" } });
    assert.deepEqual([edited.status, edited.json.branch], [200, "live"], edited.text);
    await answers(agent, "hello", "live");
    await agent.stop();
    agent = await startAgent(options);
    assert.deepEqual(await namesOf(agent), ["default", "blog", "shop"]);
    assert.equal((await agent.request("hello")).text, "live");
    const detail = await agent.api<SourceDetail>("/api/v1/sources/shop");
    assert.deepEqual(
      [detail.settings.follow, detail.functions, detail.isOfEnvironment],
      [{ branch: "live" }, 1, false],
    );
  });

  await t.test("nothing of a suspended source moves until its time is over", async () => {
    await shop.repository.commit(functionFiles("hello", "later"));
    await shop.repository.git("push", "--quiet", shop.bare, "live");
    const ending = (milliseconds: number) => ({ expires: new Date(Date.now() + milliseconds).toISOString() });
    const held = await ask(agent, "POST", "sources/shop/suspend", { reason: "fair", ...ending(3_600_000) });
    assert.equal(held.status, 200, held.text);
    assert.equal((await agent.api<SourceDetail>("/api/v1/sources/shop")).state, "suspended");
    const sync = await ask(agent, "POST", "sources/shop/sync?wait=true");
    assert.deepEqual([sync.status, sync.json.code], [409, "ERR_SUSPENDED"]);
    assert.equal((await agent.request("hello")).text, "live");
    // By the time a request is read, an end that is so near may be in the past.
    await until("an end that is near was taken", async () => {
      return (await ask(agent, "POST", "sources/shop/suspend", ending(1_000))).status === 200;
    });
    await answers(agent, "hello", "later");
    assert.equal((await ask(agent, "POST", "sources/shop/resume")).json.state, "ready");
  });

  await t.test("of an atomic source nothing moves while one function fails", async () => {
    const push = async (files: Record<string, string>) => {
      await shop.repository.commit(files);
      await shop.repository.git("push", "--quiet", shop.bare, "live");
      return agent.api<PassReport>("/api/v1/sources/shop/sync?wait=true", { method: "POST" });
    };
    assert.equal((await ask(agent, "PATCH", "sources/shop", { atomic: true })).status, 200);
    const before = (await sourceNamed(agent, "shop")).revision;
    const broken = { ...functionFiles("broken", ""), "broken/index.ts": "export default {" };
    const report = await push({ ...functionFiles("hello", "together"), ...functionFiles("new", "new"), ...broken });
    assert.deepEqual(
      [report.result, report.functions.map(({ name, result, error }) => [name, result, error?.code])],
      [
        "failed",
        [
          ["broken", "failed", "ERR_BUNDLE"],
          ["hello", "failed", "ERR_CONFLICT"],
          ["new", "failed", "ERR_CONFLICT"],
        ],
      ],
    );
    assert.deepEqual([(await agent.request("hello")).text, (await agent.request("new")).status], ["later", 503]);
    assert.equal((await sourceNamed(agent, "shop")).revision, before);
    assert.equal((await push(functionFiles("broken", "mended"))).result, "switched");
    const texts = ["hello", "new", "broken"].map(async (name) => (await agent.request(name)).text);
    assert.deepEqual(await Promise.all(texts), ["together", "new", "mended"]);
  });

  await t.test(
    "branches that fit the pattern are previewed, with secrets where the source says so, commits never with any",
    async () => {
      const { repository, bare } = shop;
      const vault = (label: string) => ({
        ...functionFiles("vault", label),
        "vault/index.ts": `export default { fetch: (_: Request, env: { SECRET?: string }) => new Response("${label}:" + (env.SECRET ?? "none")) };\n`,
      });
      const syncShop = () => agent.api<PassReport>("/api/v1/sources/shop/sync?wait=true", { method: "POST" });
      await repository.commit(vault("live"));
      await repository.git("push", "--quiet", bare, "live");
      await syncShop();
      const secret = { name: "SECRET", text: "s3cret", type: "secret_text" };
      await agent.api("/client/v4/accounts/main/workers/scripts/vault/secrets", {
        ...{ method: "PUT", body: JSON.stringify(secret), headers: { "content-type": "application/json" } },
      });
      await answers(agent, "vault", "live:s3cret");
      assert.equal((await ask(agent, "PATCH", "sources/shop", { previews: ["feature/*"] })).status, 200);
      const names = ["feature/one", "feature/two", "other"];
      for (const name of names) {
        await repository.git("checkout", "--quiet", "-B", name, "live");
        await repository.commit(vault(name));
      }
      await repository.git("push", "--quiet", bare, ...names);
      await syncShop();
      await answers(agent, "feature-one--vault", "feature/one:none");
      await answers(agent, "feature-two--vault", "feature/two:none");
      assert.equal((await agent.request("other--vault")).status, 404);
      assert.equal((await ask(agent, "PATCH", "sources/shop", { previewSecrets: true })).status, 200);
      await answers(agent, "feature-one--vault", "feature/one:s3cret");
      const asked = await ask(agent, "POST", "functions/vault/previews?wait=true", { commit: "other" });
      assert.equal(asked.status, 200, asked.text);
      const commitHost = `${String(asked.json.commit).slice(0, 7)}--vault`;
      await answers(agent, commitHost, "other:none");
      await repository.git("checkout", "--quiet", "-B", "stranger", "live");
      const pulled = await repository.commit(vault("pulled"));
      await repository.git("push", "--quiet", bare, "stranger:refs/pull/1/head");
      const refused = await ask(agent, "POST", "functions/vault/previews?wait=true", { commit: pulled });
      assert.deepEqual([refused.status, refused.json.code], [404, "ERR_NOT_FOUND"], refused.text);
      assert.match(refused.text, /no branch and no tag of/);

      await agent.stop();
      await repository.git("push", "--quiet", bare, "--delete", "feature/one");
      agent = await startAgent(options);
      await until("the preview of the branch is gone", async () => {
        const { branches } = await sourceNamed(agent, "shop");
        return branches.length === 1 && (await agent.request("feature-one--vault")).status === 404;
      });
      await answers(agent, "feature-two--vault", "feature/two:s3cret");
      await answers(agent, commitHost, "other:none");
      assert.equal((await ask(agent, "PATCH", "sources/shop", { previews: [] })).status, 200);
      await until("no branch is previewed", async () => (await sourceNamed(agent, "shop")).branches.length === 0);
      await repository.git("checkout", "--quiet", "live");
    },
  );

  await t.test("a removal frees the names, or leaves functions that nobody declares", async () => {
    assert.equal((await ask(agent, "DELETE", "sources/shop")).status, 204);
    await answers(agent, "hello", "blog");
    assert.equal((await ask(agent, "DELETE", "sources/blog?keepFunctions=true")).status, 204);
    assert.deepEqual(await namesOf(agent), ["default"]);
    assert.deepEqual([(await agent.request("posts")).text, (await agent.request("hello")).text], ["posts", "blog"]);
    const { source: of, state } = await agent.functionStatus("posts");
    assert.deepEqual([of, state], [null, "ready"]);
    assert.deepEqual(await readdir(join(dataDir, "git/sources")), []);
  });

  await t.test("a branch that another source of the same repository follows is no preview", async () => {
    const repository = await workingCopy(t);
    await repository.commit(functionFiles("aside", "aside"));
    assert.ok((await repository.push(agent, "HEAD:second")).ok);
    const previewed = async () => (await sourceNamed(agent, "default")).branches.map(({ branch }) => branch);
    assert.deepEqual(await previewed(), ["second"]);
    const second = { name: "second", repo: "embedded", follow: { branch: "second" } };
    assert.equal((await ask(agent, "POST", "sources", second)).status, 201);
    await answers(agent, "aside", "aside");
    await until("the preview is gone", async () => (await previewed()).length === 0);
    await repository.commit(functionFiles("aside", "pushed"));
    assert.match((await repository.push(agent, "HEAD:second")).output, /updated +aside/);
    assert.equal((await agent.request("aside")).text, "pushed");
    assert.equal((await ask(agent, "DELETE", "sources/second")).status, 204);
    await until("it is a preview again", async () => (await previewed()).includes("second"));
  });

  await t.test("of a source of tags the newest in the range serves, where who must have signed it has", async () => {
    const repository = await workingCopy(t);
    const key = await createSshKey(await temporaryFolder(t), "key");
    await repository.git("config", "gpg.format", "ssh");
    await repository.git("config", "user.signingKey", key.file);
    const release = async (tag: string, how: "-a" | "-s") => {
      await repository.commit(functionFiles("released", tag));
      await repository.git("tag", how, "-m", tag, tag);
      return (await repository.push(agent, tag)).output;
    };
    const shown = async () => {
      const { branch, revision, state, error } = await sourceNamed(agent, "released");
      return [branch, revision?.replace(/@.*/, ""), state, error?.code];
    };
    const serves = async () => (await agent.request("released")).text;
    const verify = { what: "tag", signers: `ana@example.com ${key.publicKey}` };
    const follow = { tags: "^1" };
    const wrong = await ask(agent, "POST", "sources", { name: "released", repo: "embedded", follow: { tags: "new" } });
    assert.deepEqual([wrong.status, wrong.json.code], [400, "ERR_INVALID"]);
    const added = await ask(agent, "POST", "sources", { name: "released", repo: "embedded", follow, verify });
    assert.deepEqual([added.status, added.json.branch], [201, "^1"], added.text);
    assert.match(await release("v1.0.0", "-a"), /kept, not deployed: .*not signed/);
    assert.deepEqual(await shown(), ["v1.0.0", undefined, "failed", "ERR_GIT_UNVERIFIED"]);
    assert.match(await release("v1.1.0", "-s"), /signed by +ana@example\.com[\s\S]*created +released/);
    assert.deepEqual(await shown(), ["v1.1.0", "v1.1.0", "ready", undefined]);
    assert.match(await release("v1.2.0", "-a"), /kept, not deployed/);
    assert.deepEqual(
      [await serves(), ...(await shown())],
      ["v1.1.0", "v1.2.0", "v1.1.0", "failed", "ERR_GIT_UNVERIFIED"],
    );
    const edit = (policy: object | null) => ask(agent, "PATCH", "sources/released", { verify: policy });
    assert.equal((await edit(null)).status, 200);
    await until("the tag serves without a policy", async () => (await serves()) === "v1.2.0");
    assert.equal((await edit({ ...verify, what: "commit" })).status, 200);
    await until("the new policy refuses it", async () => (await shown())[3] === "ERR_GIT_UNVERIFIED");
    assert.equal(await serves(), "v1.2.0");
    assert.equal((await edit(null)).status, 200);
    await until("it is well again", async () => (await shown())[2] === "ready");
    assert.equal((await repository.push(agent, ":refs/tags/v1.2.0")).ok, true);
    assert.deepEqual([await serves(), ...(await shown())], ["v1.1.0", "v1.1.0", "v1.1.0", "ready", undefined]);
    assert.match(await release("v0.9.0", "-a"), /"v1\.1\.0" is the newest tag in "\^1"/);
    assert.equal((await repository.push(agent, ":refs/tags/v1.0.0", ":refs/tags/v1.1.0")).ok, true);
    assert.deepEqual(
      [await serves(), ...(await shown())],
      ["v1.1.0", "v1.1.0", "v1.1.0", "empty", "ERR_GIT_NO_BRANCH"],
    );
    assert.equal((await ask(agent, "DELETE", "sources/released")).status, 204);
  });

  await t.test("events say who did it, and no credential is told anywhere", async () => {
    const events = await agent.events();
    const kinds = events.filter(({ actor }) => actor).map(({ kind }) => kind);
    for (const kind of ["added", "edited", "suspended", "removed"]) {
      assert.ok(kinds.includes(`source.${kind}`), `${kind}: ${kinds.join(" ")}`);
    }
    const told = `${agent.output()}${JSON.stringify(events)}`;
    assert.equal(told.includes(shop.token) || told.includes(blog.token), false);
  });
});
