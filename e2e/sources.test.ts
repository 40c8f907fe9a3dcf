// Sources that people add beside the one of the environment: what each follows, shows, tells and leaves behind.
import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import type { PassReport, SourceDetail, SourceStatus } from "../agent/model.js";
import { listen } from "../agent/notify/testing.js";
import { createSshKey } from "../agent/source/signatures/testing.js";
import { openSqlite } from "../agent/sqlite.js";
import { createCli } from "./cli.js";
import { functionFiles, startAgent, type TestAgent, until } from "./harness.js";
import { answers, remoteOf, sourceNamed, temporaryFolder, workingCopy } from "./remotes.js";

/** Asks the API as the administrator. */
async function ask(agent: TestAgent, method: string, path: string, body?: object) {
  const { status, text } = await agent.request("localhost", `/api/v1/${path}`, {
    ...{ method, headers: { authorization: `Bearer ${await agent.token()}`, "content-type": "application/json" } },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status, text, json: text === "" ? {} : (JSON.parse(text) as Record<string, unknown>) };
}

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

  await t.test("credentials that do not open any more are the source's error, until they are set again", async () => {
    await agent.stop();
    const db = openSqlite(join(options.dataDir, "registry.sqlite"));
    db.prepare(
      "UPDATE sources SET credentials = json_set(credentials, '$.token', 'damaged') WHERE name = 'shop'",
    ).run();
    db.close();
    agent = await startAgent(options);
    await until("the source has failed", async () => (await sourceNamed(agent, "shop")).state === "failed");
    const { error, settings } = await sourceNamed(agent, "shop");
    assert.match(`${error?.message}; ${error?.hint}`, /"token" does not open.*; .*set it again/);
    assert.deepEqual([settings.follow, (await agent.request("hello")).text], [{ branch: "live" }, "live"]);
    assert.equal((await ask(agent, "PATCH", "sources/shop", { prune: "never" })).status, 500);
    const mended = await ask(agent, "PATCH", "sources/shop", { credentials: { token: shop.token } });
    assert.equal(mended.status, 200, mended.text);
    await until("the source is well again", async () => (await sourceNamed(agent, "shop")).state === "ready");
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

  await t.test("a pin names a commit that a shallow look at a remote never saw, by all its digits", async () => {
    const { repository, bare } = blog;
    const files = (text: string, pin?: string) => {
      const { "dated/wrangler.toml": manifest, ...code } = functionFiles("dated", text);
      const pinned = pin === undefined ? "" : `[wrkst]\npin = { latest = "${pin}" }\n`;
      return { ...code, "dated/wrangler.toml": `${manifest}${pinned}` };
    };
    /** Two commits at once, of which the newer one pins the older one; what a sync says of it, and what serves. */
    const push = async (text: string, pinOf: (commit: string) => string) => {
      const older = await repository.commit(files(text));
      await repository.commit(files("newest", pinOf(older)));
      await repository.git("push", "--quiet", bare, "main");
      const report = await agent.api<PassReport>("/api/v1/sources/blog/sync?wait=true", { method: "POST" });
      const outcome = report.functions.find(({ name }) => name === "dated");
      return { older, outcome, serves: (await agent.request("dated")).text };
    };
    const whole = await push("by-digits", (commit) => commit);
    assert.deepEqual([whole.outcome?.result, whole.serves], ["created", "by-digits"]);
    assert.equal(whole.outcome?.pins?.[0]?.commit, whole.older);
    const short = await push("by-few", (commit) => commit.slice(0, 9));
    assert.deepEqual([short.outcome?.result, short.serves], ["failed", "by-digits"]);
    const { position, message = "", hint = "" } = short.outcome?.error ?? {};
    assert.deepEqual([position?.file, position?.line], ["dated/wrangler.toml", 5]);
    assert.match(`${message} ${hint}`, /40 digits/);
  });

  await t.test(
    "who waits for a sync is told what became of each function, and by the exit code that not all is well",
    async (t) => {
      const cli = await createCli({ WRKST_URL: `http://localhost:${agent.port}`, WRKST_TOKEN: await agent.token() });
      t.after(() => cli.remove());
      const commit = async (files: Record<string, string>) => {
        const id = await blog.repository.commit(files);
        await blog.repository.git("push", "--quiet", blog.bare, "main");
        return id;
      };
      const before = await blog.repository.git("rev-parse", "HEAD");
      const broken = {
        ...functionFiles("wrong", ""),
        "wrong/index.ts": "export default {\n  fetch() { return 1 + ; },\n};\n",
      };
      const half = await commit({ ...functionFiles("dated", "mended"), ...functionFiles("fine", "fine"), ...broken });
      const some = await cli.run(["source", "sync", "blog", "--wait"]);
      assert.equal(some.code, 1, some.out);
      const [head, ...lines] = some.out.split("\n");
      assert.match(head!, new RegExp(`^source "blog": main@${before.slice(0, 7)} → main@${half.slice(0, 7)} in `));
      for (const line of [
        /^ {2}updated dated$/,
        /^ {2}created fine$/,
        /^ {2}failed wrong$/,
        /wrong\/index\.ts:2:24: /,
      ]) {
        assert.ok(
          lines.some((one) => line.test(one)),
          `${line}: ${some.out}`,
        );
      }
      assert.match(some.err, /not ready: hello, wrong$/m, "the name of the first one is another source's");
      blog.state.fault = "cut";
      const cut = await cli.run(["source", "sync", "blog", "--wait", "--json"]);
      const { result, error, functions } = JSON.parse(cut.out) as PassReport;
      assert.deepEqual([cut.code, result, error?.code, functions], [1, "failed", "ERR_GIT_UNREACHABLE", []]);
      assert.match(cut.err, /not ready: blog$/m);
      delete blog.state.fault;
      await commit(functionFiles("wrong", "mended"));
      const mended = await cli.run(["source", "sync", "blog", "--wait"]);
      assert.match(mended.err, /not ready: hello$/m);
      assert.equal((await agent.request("wrong")).text, "mended");
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
    assert.match(added.text, /"ERR_GIT_NO_BRANCH"/, "told at once, not only by the first pass");
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
