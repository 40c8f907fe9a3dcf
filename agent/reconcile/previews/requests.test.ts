// Commits that people ask for, with a real registry and a clock that tests move; what makes previews does so when it is told.
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { WrkstError } from "../../errors.js";
import type { Actor, CommitPreview } from "../../model.js";
import { until } from "../../source/test-repository.js";
import type { PreviewRecord } from "../../store/index.js";
import { DAY, newRegistry, push, version } from "../../store/test-registry.js";
import type { PreviewJob } from "../previews.js";
import { createCommitPreviews, MOST_ASKED, MOST_WAITING } from "./requests.js";

const BY: Actor = { name: "ann", email: null, credential: "api-token:1", address: "127.0.0.1" };
const RETENTION = 7 * DAY;

interface Waiter {
  id: string;
  resolve(record: PreviewRecord | undefined): void;
}

/** A source "default" with the functions "shop" and "blog", and another one with "other". */
function open(t: TestContext, { retention = RETENTION } = {}) {
  const { registry, clock } = newRegistry(t);
  push(registry, "a", { shop: "1", blog: "1" });
  const revision = { source: "second", branch: "main", commit: "b".repeat(40) };
  registry.applySwitch({
    ...{ cause: "push", author: "ann", revision, versions: [version("other", "1")] },
    functions: [{ name: "other", source: "second", folder: "other", state: "ready", latest: "other@1" }],
  });
  const seen = { tended: 0, published: 0 };
  let waiters: Waiter[] = [];
  const settle = (id: string) => {
    for (const waiter of waiters) if (waiter.id === id) waiter.resolve(registry.previews.byId(id));
    waiters = waiters.filter((waiter) => waiter.id !== id);
  };
  const previews = {
    look: async (ref: string, name: string) => {
      const { manifest } = version(name, "1");
      return {
        commit: ref.padEnd(40, "0"),
        declaration: { folder: name, file: `${name}/wrangler.toml`, name, manifest, warnings: [] },
      };
    },
    made: ({ id }: PreviewRecord) => new Promise<PreviewRecord | undefined>((resolve) => waiters.push({ id, resolve })),
    isMaking: () => false,
    expectPublished: async () => {},
    drop: settle,
  };
  const sources = new Map(["default", "second"].map((name) => [name, { previews, settings: { account: "main" } }]));
  const front = createCommitPreviews({
    ...{ registry, sources, retention, log: { warn: () => {} }, now: () => clock.now },
    refuseSuspended: () => {},
    urlOf: (name, label) => `http://${label === undefined ? "" : `${label}--`}${name}.localhost`,
    publisher: { publish: async () => void seen.published++ },
    tend: () => void seen.tended++,
  });
  t.after(() => front.close());
  const ask = async (ref: string, { name = "shop", wait = false } = {}) => {
    clock.now++;
    const signal = AbortSignal.timeout(60_000);
    return front.request({ account: "main", name }, { ref, wait, signal }, BY);
  };
  const make = (record: PreviewRecord) => {
    const { id, commit, label, function: name } = record;
    const own = { name: name!, folder: name!, version: `${name}@1`, bindings: {}, hasSecrets: false };
    const made = { versions: { [name!]: `${name}@1` }, functions: [own], made: [], builds: [], events: [] };
    registry.previews.record({ id, commit, label, handled: "handled", account: "main", warnings: [], ...made });
    settle(id);
  };
  /** Asked for, and made. */
  const made = async (ref: string, name = "shop") => make(recordOf(await ask(ref, { name })));
  const recordOf = (answer: CommitPreview | PreviewJob) => {
    assert.ok("id" in answer, "it is to be made");
    return registry.previews.byId(answer.id)!;
  };
  const commits = (name = "shop") => front.list(name).map(({ commit }) => commit.replace(/0+$/, ""));
  const removals = () =>
    registry.events({ limit: 100 }).flatMap(({ kind, message }) => (kind === "preview.removed" ? [message] : []));
  return { registry, clock, front, seen, ask, make, made, recordOf, commits, removals };
}

const isRefused = (code: string, hint?: RegExp) => (error: unknown) => {
  assert.ok(error instanceof WrkstError);
  assert.equal(error.code, code);
  if (hint) assert.match(error.hint ?? "", hint);
  return true;
};

test("a commit that nobody asks for again goes when its time is over, which is told, and each request puts that off", async (t) => {
  const { clock, front, seen, ask, made, commits, removals } = open(t);
  await made("c1");
  const begun = clock.now;
  await made("c2");
  clock.now = begun + RETENTION - 2;
  const again = await ask("c1");
  assert.ok("expiresAt" in again && again.state === "ready");
  assert.equal(again.expiresAt, clock.now + RETENTION);
  front.look();
  // What it does at once it has done by then.
  await setImmediate();
  assert.deepEqual([commits(), removals()], [["c1", "c2"], []]);
  clock.now += 2;
  const before = { ...seen };
  front.look();
  await until(() => seen.tended > before.tended);
  assert.deepEqual([commits(), seen.published > before.published], [["c1"], true]);
  const [told] = removals();
  assert.match(told ?? "", /^the preview of "shop" at the commit c20000000000 was removed: nobody asked for it again$/);
});

test("without a retention what was asked for stays, and says no end", async (t) => {
  const { clock, front, ask, made, commits } = open(t, { retention: 0 });
  await made("c1");
  clock.now += 1_000 * DAY;
  front.look();
  const again = await ask("c1");
  assert.deepEqual([commits(), "expiresAt" in again && again.expiresAt], [["c1"], null]);
});

test("of each function ten commits are kept: the one asked for longest ago makes room, which is told", async (t) => {
  const { ask, made, commits, removals, seen } = open(t);
  const refs = Array.from({ length: MOST_ASKED }, (_, index) => `c${index + 1}x`);
  await made("b1", "blog");
  for (const ref of refs) await made(ref);
  assert.equal((await ask(refs[0]!)).state, "ready");
  assert.deepEqual([commits().length, removals(), seen.tended], [MOST_ASKED, [], 0]);
  await made("d1");
  assert.deepEqual(new Set(commits()), new Set([...refs, "d1"].filter((ref) => ref !== "c2x")));
  assert.deepEqual(removals(), [
    'the preview of "shop" at the commit c2x000000000 was removed: 10 commits of it are kept',
  ]);
  assert.deepEqual([commits("blog"), seen.tended], [["b1"], 1]);
});

test("eight commits of a source wait at most: the next is refused with where to look, one that waits already is not", async (t) => {
  const { registry, ask, make, recordOf, commits } = open(t);
  const waiting: PreviewRecord[] = [];
  for (let index = 0; index < MOST_WAITING; index++) {
    const name = index % 2 ? "shop" : "blog";
    waiting.push(recordOf(await ask(`c${index + 1}x`, { name })));
  }
  const isFull = isRefused("ERR_RATE_LIMITED", /wrkst previews default$/);
  await assert.rejects(ask("d1"), isFull);
  await assert.rejects(ask("c1x"), isFull, "the commit of another function is another preview");
  assert.equal(recordOf(await ask("c2x")).id, waiting[1]!.id);
  assert.equal("id" in (await ask("d1", { name: "other" })), true, "another source has eight of its own");
  make(waiting[0]!);
  await ask("d1");
  assert.ok(commits().includes("d1"));
  assert.equal(registry.events({ limit: 100 }).filter(({ kind }) => kind === "preview.requested").length, 10);
});

test("who waits for a commit is told when it is removed meanwhile, by a person or by newer ones", async (t) => {
  const { registry, front, ask, made, commits, removals } = open(t);
  const waits = (ref: string) => assert.rejects(ask(ref, { wait: true }), isRefused("ERR_SUPERSEDED"));
  const isThere = (ref: string) => until(() => commits().includes(ref));
  const first = waits("c1abcdef");
  await isThere("c1abcdef");
  await front.remove({ account: "main", name: "shop" }, "c1abcde", BY);
  await first;
  const second = waits("c2abcdef");
  await isThere("c2abcdef");
  const { id } = registry.previews.all().find(({ commit }) => commit.startsWith("c2"))!;
  assert.equal(front.job(id)?.state, "running");
  for (let index = 0; index < MOST_ASKED; index++) await made(`d${index}x`);
  await second;
  assert.deepEqual([front.job(id), removals().length], [undefined, 2]);
});

test("a preview is removed by what names one commit alone, and a branch's is not", async (t) => {
  const { registry, front, made, commits } = open(t);
  await made("c1abcdef1");
  await made("c1abcdef2");
  const commit = "e".repeat(40);
  const { id, label } = registry.previews.open({ source: "default", branch: "x", commit, label: "x" });
  const own = { name: "shop", folder: "shop", version: "shop@1", bindings: {}, hasSecrets: false };
  const change = { id, commit, label, handled: "h", account: "main", warnings: [], made: [], builds: [], events: [] };
  registry.previews.record({ ...change, versions: { shop: "shop@1" }, functions: [own] });
  const remove = (prefix: string) => front.remove({ account: "main", name: "shop" }, prefix, BY);
  await assert.rejects(remove("c1abcdef"), isRefused("ERR_CONFLICT"));
  await assert.rejects(remove("eeeeeee"), isRefused("ERR_CONFLICT", /delete the branch/));
  await assert.rejects(remove("fffffff"), isRefused("ERR_NOT_FOUND"));
  await remove("C1ABCDEF1");
  assert.deepEqual(commits(), ["c1abcdef2", commit]);
});
