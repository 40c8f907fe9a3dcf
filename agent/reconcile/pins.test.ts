// Declared pins through the real pass: real git, plan, bundler and registry.
import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { FunctionOutcome, PassReport } from "../model.js";
import { bareRepository, commit, git } from "../source/test-repository.js";
import { type Follower, openFollower } from "./testing/follower.js";

let folder: string;
let repo: string;
let follower: Follower;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "wrkst-pins-"));
  repo = join(folder, "repo.git");
  await bareRepository(repo);
  await mkdir(join(folder, "state"));
  follower = await openFollower(join(folder, "state"), repo);
});
after(async () => {
  await follower?.close();
  await rm(folder, { recursive: true, force: true, maxRetries: 5 });
});

const by = { name: "ann", email: null, credential: "test", address: "" };

/** `pin` is the inline table. */
function filesOf(name: string, text: string, { pin, at = name }: { pin?: string; at?: string } = {}) {
  const manifest = `name = "${name}"\nmain = "index.js"\ncompatibility_date = "2026-08-01"\n`;
  return {
    [`${at}/wrangler.toml`]: `${manifest}${pin === undefined ? "" : `[wrkst]\npin = ${pin}\n`}`,
    [`${at}/index.js`]: `export default { fetch: () => new Response(${JSON.stringify(text)}) };\n`,
  };
}

async function push(files: Record<string, string | null>, tag?: string): Promise<{ id: string; report: PassReport }> {
  const id = await commit(repo, files);
  if (tag !== undefined) await git(repo, ["tag", "-f", "-a", "-m", tag, tag, id]);
  return { id, report: await follower.follow() };
}

const outcomeOf = ({ functions }: PassReport, name: string) =>
  functions.find((one) => one.name === name) as FunctionOutcome;
const record = (name: string) => follower.registry.functionByName(name)!;
const aliasesOf = (name: string) =>
  Object.fromEntries(follower.registry.aliases(record(name).id).map(({ name, versionId }) => [name, versionId]));
const pinsOf = (name: string) => follower.registry.declaredPins(record(name).id);
const hold = (name: string, alias: string, version: string) =>
  follower.registry.applyDirect({
    ...{ account: "main", name, cause: "pin", by, events: [] },
    ...(alias === "latest" ? { latest: version } : { aliases: { [alias]: version } }),
    holds: [{ alias, kind: "pin", version }],
  });
const release = (name: string, alias: string) =>
  follower.registry.applyDirect({ account: "main", name, cause: "unpin", by, releases: [alias], events: [] });

test("latest goes to the tag that the file names, newer versions are built and wait, and without the line the newest applies", async () => {
  await push(filesOf("api", "one"), "v1");
  const one = record("api").latest!;
  await push(filesOf("api", "two"));
  const pinned = await push(filesOf("api", "three", { pin: '{ latest = "v1" }' }));
  const outcome = outcomeOf(pinned.report, "api");
  assert.deepEqual([outcome.result, outcome.version], ["updated", one]);
  assert.deepEqual([outcome.pins?.[0]?.ref, outcome.pins?.[0]?.position.line], ["v1", 5]);
  const { state, latest, declared, revision } = record("api");
  assert.deepEqual([state, latest, revision?.split(":")[1]], ["pinned", one, pinsOf("api")[0]!.commit]);
  assert.notEqual(declared, one);
  const next = await push(filesOf("api", "four", { pin: '{ latest = "v1" }' }));
  assert.deepEqual([outcomeOf(next.report, "api").result, record("api").latest], ["held", one]);
  assert.equal(outcomeOf(next.report, "api").hold?.declared?.ref, "v1");
  assert.notEqual(record("api").declared, declared);
  follower.takeBuilt();
  assert.equal((await follower.follow()).result, "unchanged");
  await push({ "api/README.md": "x" });
  assert.equal(record("api").latest, one);
  const free = await push(filesOf("api", "four"));
  assert.equal(outcomeOf(free.report, "api").result, "updated");
  assert.deepEqual([record("api").state, record("api").latest, pinsOf("api")], ["ready", record("api").declared, []]);
});

test("a tag that moves takes the pin with it, without a commit", async () => {
  await push(filesOf("moving", "one"), "m1");
  const one = record("moving").latest!;
  const two = await push(filesOf("moving", "two"));
  const second = record("moving").latest!;
  await push(filesOf("moving", "three", { pin: '{ latest = "m1" }' }));
  assert.equal(record("moving").latest, one);
  await git(repo, ["tag", "-f", "m1", two.id]);
  const report = await follower.follow();
  assert.deepEqual([report.result, record("moving").latest], ["switched", second]);
  assert.equal((await follower.follow()).result, "unchanged");
});

test("a version that nothing built yet is built from the pinned commit, wherever the function was then", async () => {
  const first = await commit(repo, filesOf("old", "one", { at: "before/old" }));
  await commit(repo, { before: null, ...filesOf("old", "two") });
  const pin = `{ latest = "${first}", canary = "${first.slice(0, 9)}" }`;
  const { report } = await push(filesOf("old", "three", { pin }));
  assert.equal(outcomeOf(report, "old").result, "created");
  const { latest, declared } = record("old");
  assert.notEqual(latest, declared);
  assert.equal(aliasesOf("old").canary, latest);
  assert.deepEqual(follower.takeBuilt().slice(-2), ["old", "old"]);
  await push(filesOf("old", "four", { pin }));
  assert.deepEqual(follower.takeBuilt(), ["old"]);
  await push(filesOf("old", "four", { pin: `{ latest = "${first}" }` }));
  assert.deepEqual([aliasesOf("old").canary, aliasesOf("old").latest], [undefined, latest]);
});

test("a pin that leads nowhere is the error of its function alone, with its place, and what serves stays", async () => {
  await push({ ...filesOf("wrong", "one"), ...filesOf("beside", "one") });
  const before = record("wrong").latest;
  await git(repo, ["branch", "release", "main"]);
  await git(repo, ["tag", "-f", "young", "main"]);
  const broken = await commit(repo, { ...filesOf("wrong", "one"), "wrong/index.js": "export default {" });
  for (const [ref, name, message] of [
    ["nowhere", "wrong", /no tag/],
    ["release", "wrong", /is a branch/],
    [broken, "wrong", /wrong\/index\.js/],
    ["0123456789012345678901234567890123456789", "wrong", /no branch, tag or commit|40 digits/],
    ["young", "later", /there was no function "later" at "young"/],
  ] as const) {
    const beside = { ...filesOf("wrong", "one"), ...filesOf("later", "x"), ...filesOf("beside", `with ${ref}`) };
    const { report } = await push({ ...beside, ...filesOf(name, "two", { pin: `{ latest = "${ref}" }` }) });
    const { error, result } = outcomeOf(report, name);
    assert.deepEqual([result, error?.position?.file, error?.position?.line], ["failed", `${name}/wrangler.toml`, 5]);
    assert.match(error?.message ?? "", message);
    assert.deepEqual([record("wrong").latest, outcomeOf(report, "beside").result], [before, "updated"]);
  }
  await push({ ...filesOf("wrong", "two", { pin: '{ latest = "comes" }' }), later: null });
  await git(repo, ["tag", "comes", "main"]);
  assert.equal((await follower.follow()).result, "switched");
  assert.deepEqual([record("wrong").state, record("wrong").error], ["pinned", undefined]);
});

test("a pin applies though the newest version does not build", async () => {
  await push(filesOf("mended", "one"), "good");
  const one = record("mended").latest!;
  await push(filesOf("mended", "two"));
  const files = { ...filesOf("mended", "x", { pin: '{ latest = "good" }' }), "mended/index.js": "export default {" };
  const { report } = await push(files);
  assert.deepEqual([outcomeOf(report, "mended").result, outcomeOf(report, "mended").version], ["failed", one]);
  assert.deepEqual([record("mended").state, record("mended").latest], ["failed", one]);
});

test("a person's hold wins over the repository's pin, and what the repository pins comes back with its end", async () => {
  await push(filesOf("both", "one"), "b1");
  const one = record("both").latest!;
  await push(filesOf("both", "two"));
  const two = record("both").latest!;
  const pin = '{ latest = "b1", canary = "b1" }';
  await push(filesOf("both", "three", { pin }));
  hold("both", "latest", two);
  hold("both", "canary", two);
  const { report } = await push(filesOf("both", "four", { pin }));
  assert.equal(outcomeOf(report, "both").hold?.author, "ann");
  assert.deepEqual([record("both").latest, aliasesOf("both").canary], [two, two]);
  const moved = { account: "main", name: "both", cause: "api" as const, by, events: [] };
  release("both", "latest");
  release("both", "canary");
  await follower.follow();
  assert.deepEqual([record("both").state, record("both").latest, aliasesOf("both").canary], ["pinned", one, one]);
  assert.throws(() => follower.registry.applyDirect({ ...moved, aliases: { canary: two } }), {
    code: "ERR_GIT_OWNED",
    message: /both\/wrangler\.toml:5/,
  });
  follower.registry.applyDirect({ ...moved, holds: [{ alias: "*", kind: "suspension", version: one }] });
  await push(filesOf("both", "four"));
  assert.deepEqual([record("both").latest, aliasesOf("both").canary], [one, one]);
  release("both", "*");
  await follower.follow();
  assert.deepEqual([record("both").state, record("both").latest], ["ready", record("both").declared]);
});

test("a pinned function that git declares no longer goes, and its pins with it", async () => {
  await push(filesOf("gone", "one"), "g1");
  await push(filesOf("gone", "two", { pin: '{ latest = "g1" }' }));
  const { id } = record("gone");
  await push({ gone: null });
  assert.deepEqual([follower.registry.functionByName("gone"), follower.registry.declaredPins(id)], [undefined, []]);
});
