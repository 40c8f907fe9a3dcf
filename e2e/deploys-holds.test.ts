import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { AUTO_ROLLBACK, type PassReport } from "../agent/model.js";
import { ANN, answers, type DirectAgent, failsWith, MAIN, ref, startDirect } from "./direct.js";
import { createRepository, functionFiles, sendRequest, type TestRepository, until } from "./harness.js";
import { functionOf } from "./traffic.js";

const run = promisify(execFile);
let direct: DirectAgent;
let repository: TestRepository;

before(async () => {
  [direct, repository] = await Promise.all([startDirect(), createRepository()]);
});
after(() => Promise.all([direct?.stop(), repository?.remove()]));

/** Pushes as a file copy would, and answers the report of the pass that followed. */
async function push(files: Record<string, string | null>): Promise<PassReport> {
  const commit = await repository.commit(files);
  const remote = join(direct.dataDir, "git/functions.git");
  await run("git", ["push", "--quiet", "--force", remote, "HEAD:main"], { cwd: repository.dir });
  return direct.sync({ commit });
}

async function statusOf(name: string) {
  const [status] = (await direct.agent.platform.functions()).filter((entry) => entry.name === name);
  assert.ok(status, `no function ${name}`);
  return status;
}

const outcomeOf = (report: PassReport, name: string) => report.functions.find((outcome) => outcome.name === name);

test("a pin survives pushes, and its release applies the newest version before it answers", async () => {
  const { deploys } = direct.agent;
  await push(functionFiles("pinned", "one"));
  const one = (await statusOf("pinned")).version!;
  await push(functionFiles("pinned", "two"));
  const hold = await deploys.pin(ref("pinned"), "latest", { version: one.slice(0, 8), reason: "two is slow" }, ANN);
  assert.deepEqual([hold.kind, hold.version, hold.author, hold.reason], ["pin", one, "ann", "two is slow"]);
  assert.equal(await direct.text("pinned"), "one");
  for (const text of ["three", "four"]) {
    const outcome = outcomeOf(await push(functionFiles("pinned", text)), "pinned");
    assert.deepEqual([outcome?.result, outcome?.hold?.author], ["held", "ann"]);
    assert.equal(await direct.text("pinned"), "one");
  }
  const status = await statusOf("pinned");
  assert.deepEqual([status.state, status.version, status.hold?.reason], ["pinned", one, "two is slow"]);
  assert.equal(outcomeOf(await direct.sync({ force: true }), "pinned")?.result, "unchanged");
  await deploys.unpin(ref("pinned"), "latest", ANN);
  assert.equal(await direct.text("pinned"), "four");
  assert.deepEqual([(await statusOf("pinned")).state, deploys.holds(ref("pinned"))], ["ready", []]);
  assert.equal(deploys.deployments(ref("pinned"))[0]?.cause, "unpin");
  await assert.rejects(deploys.unpin(ref("pinned"), "latest", ANN), failsWith("ERR_NOT_FOUND"));
  assert.equal(outcomeOf(await direct.sync({ force: true }), "pinned")?.result, "unchanged");
});

test("a rollback holds the rejected version off and ends with the next other one", async () => {
  const { deploys } = direct.agent;
  await push(functionFiles("rolled", "one"));
  await push(functionFiles("rolled", "two"));
  const two = (await statusOf("rolled")).version;
  const deployment = await deploys.rollback(ref("rolled"), { reason: "two fails" }, ANN);
  assert.deepEqual([deployment.cause, deployment.message, deployment.from], ["rollback", "two fails", two]);
  assert.equal(await direct.text("rolled"), "one");
  assert.equal((await statusOf("rolled")).state, "rolled-back");
  await push(functionFiles("beside", "x"));
  await direct.sync({ force: true });
  assert.equal(await direct.text("rolled"), "one");
  assert.equal(deploys.holds(ref("rolled"))[0]?.rejected, two);
  assert.equal(outcomeOf(await push(functionFiles("rolled", "three")), "rolled")?.result, "updated");
  assert.equal(await direct.text("rolled"), "three");
  assert.deepEqual([(await statusOf("rolled")).state, deploys.holds(ref("rolled"))], ["ready", []]);
});

test("a revert in git to the version that a rollback serves ends the rollback", async () => {
  const { deploys } = direct.agent;
  await push(functionFiles("undone", "one"));
  const one = (await statusOf("undone")).version;
  await push(functionFiles("undone", "two"));
  await deploys.rollback(ref("undone"), {}, ANN);
  await push(functionFiles("undone", "one"));
  const status = await statusOf("undone");
  assert.deepEqual([status.state, status.version, deploys.holds(ref("undone"))], ["ready", one, []]);
});

test("a direct deploy to a function of git is refused, or is a pin; an older version of git is a rollback", async () => {
  const { deploys } = direct.agent;
  await push(functionFiles("owned", "one"));
  const one = (await statusOf("owned")).version!;
  await push(functionFiles("owned", "two"));
  const two = (await statusOf("owned")).version!;
  const upload = await direct.upload("owned", { code: answers("by hand"), alias: "try" });
  assert.equal(await direct.text("try--owned"), "by hand");
  assert.equal(await direct.text("owned"), "two");
  const all = (version: string) => [{ version, percentage: 100 }];
  await assert.rejects(
    deploys.deploy(ref("owned"), { versions: all(upload.id), force: false }, ANN),
    failsWith("ERR_GIT_OWNED"),
  );
  const back = await deploys.deploy(ref("owned"), { versions: all(one), force: false }, ANN);
  assert.deepEqual([back.cause, (await statusOf("owned")).state], ["rollback", "rolled-back"]);
  assert.equal(await direct.text("owned"), "one");
  await deploys.deploy(ref("owned"), { versions: all(two), force: false }, ANN);
  assert.deepEqual([(await statusOf("owned")).state, await direct.text("owned")], ["ready", "two"]);
  await deploys.deploy(ref("owned"), { versions: all(upload.id), force: true }, ANN);
  assert.deepEqual([(await statusOf("owned")).state, await direct.text("owned")], ["pinned", "by hand"]);
  await push(functionFiles("owned", "three"));
  assert.equal(await direct.text("owned"), "by hand");
  await deploys.deleteAlias(ref("owned"), "latest", ANN);
  assert.equal(await direct.text("owned"), "three");
});

test("a pin that expires lets go by itself", async () => {
  const { deploys } = direct.agent;
  await push(functionFiles("expiring", "one"));
  const one = (await statusOf("expiring")).version!;
  await push(functionFiles("expiring", "two"));
  const pinFor = (milliseconds: number) =>
    deploys.pin(ref("expiring"), "latest", { version: one, expires: Date.now() + milliseconds }, ANN);
  await pinFor(3_600_000);
  assert.equal(await direct.text("expiring"), "one");
  await pinFor(500);
  await until("the pin has expired", async () => (await direct.text("expiring")) === "two");
  assert.equal((await statusOf("expiring")).state, "ready");
});

test("nothing of a suspended function moves until it is resumed, then the newest version serves at once", async () => {
  const { deploys } = direct.agent;
  await push(functionFiles("still", "one"));
  const one = (await statusOf("still")).version!;
  await push(functionFiles("still", "two"));
  const until = Date.now() + 3_600_000;
  await deploys.suspend(ref("still"), { reason: "a fair", expires: until }, ANN);
  const outcome = outcomeOf(await push(functionFiles("still", "three")), "still");
  assert.deepEqual([outcome?.result, outcome?.hold?.kind, outcome?.hold?.reason], ["held", "suspension", "a fair"]);
  assert.equal(await direct.text("still"), "two");
  const { state, suspension } = await statusOf("still");
  assert.deepEqual([state, suspension?.author, suspension?.expiresAt], ["suspended", "ann", until]);
  assert.equal((await direct.agent.platform.status()).drift.suspended, 1);
  const { pass } = direct.agent.platform.history("default", (await statusOf("still")).revision);
  assert.ok(pass?.phases.switch !== undefined && pass.milliseconds > 0 && pass.author);
  const upload = await direct.upload("still", { code: answers("by hand") });
  const refused = failsWith("ERR_SUSPENDED");
  const versions = [{ version: one, percentage: 100 }];
  for (const move of [
    () => deploys.deploy(ref("still"), { versions, force: true }, ANN),
    () => deploys.rollback(ref("still"), { to: one }, ANN),
    () => deploys.setAlias(ref("still"), "other", upload.id, ANN),
    () => deploys.pin(ref("still"), "latest", { version: one }, ANN),
    () => deploys.setSecrets(ref("still"), { KEY: "1" }, { base: "serving", client: "test" }, ANN),
    () => deploys.remove(ref("still"), { force: true }, ANN),
    () => direct.upload("still", { code: answers("by hand"), alias: "other" }),
  ]) {
    await assert.rejects(move, refused);
  }
  await deploys.resume(ref("still"), ANN);
  assert.deepEqual([await direct.text("still"), (await statusOf("still")).state], ["three", "ready"]);
});

test("a function that is suspended offline answers 503, and the clock lets it go", async () => {
  const { deploys } = direct.agent;
  await push(functionFiles("dark", "one"));
  const suspendFor = (milliseconds: number) =>
    deploys.suspend(ref("dark"), { reason: "leaks", offline: true, expires: Date.now() + milliseconds }, ANN);
  await suspendFor(3_600_000);
  const page = await direct.request("dark", "/", { headers: { accept: "application/json" } });
  assert.equal(page.status, 503);
  await push(functionFiles("dark", "two"));
  assert.equal((await direct.request("dark")).status, 503);
  await suspendFor(500);
  await until("the suspension has expired", async () => (await direct.text("dark")) === "two");
  assert.equal((await statusOf("dark")).state, "ready");
});

test("a rollback outlives a suspension, and a removal in git waits for its end", async () => {
  const { deploys } = direct.agent;
  await push(functionFiles("both", "one"));
  await push(functionFiles("both", "two"));
  await deploys.rollback(ref("both"), {}, ANN);
  await deploys.suspend(ref("both"), { reason: "looking" }, ANN);
  await direct.sync({ force: true });
  await deploys.resume(ref("both"), ANN);
  assert.deepEqual([await direct.text("both"), (await statusOf("both")).state], ["one", "rolled-back"]);
  await deploys.suspend(ref("both"), { reason: "looking" }, ANN);
  assert.equal(outcomeOf(await push({ both: null }), "both")?.result, "held");
  assert.equal(await direct.text("both"), "one");
  await deploys.resume(ref("both"), ANN);
  assert.equal((await direct.request("both")).status, 404);
});

test("a pin keeps a function that git declares no longer, until it is released", async () => {
  const { deploys } = direct.agent;
  await push(functionFiles("leaving", "one"));
  await deploys.pin(ref("leaving"), "latest", { version: "latest" }, ANN);
  assert.equal(outcomeOf(await push({ leaving: null }), "leaving")?.result, "held");
  assert.equal(await direct.text("leaving"), "one");
  assert.equal(outcomeOf(await direct.sync({ force: true }), "leaving"), undefined);
  await deploys.unpin(ref("leaving"), "latest", ANN);
  assert.equal((await direct.request("leaving")).status, 404);
});

test("the repository pins at a tag, which nobody releases by hand and every hold of a person covers", async () => {
  const { deploys, platform } = direct.agent;
  const remote = join(direct.dataDir, "git/functions.git");
  const withPin = (text: string) => {
    const files = functionFiles("kept", text);
    return { ...files, "kept/wrangler.toml": `${files["kept/wrangler.toml"]}[wrkst]\npin = { latest = "v1" }\n` };
  };
  await push(functionFiles("kept", "one"));
  const one = (await statusOf("kept")).version!;
  await run("git", ["push", "--quiet", remote, "HEAD:refs/tags/v1"], { cwd: repository.dir });
  await push(functionFiles("kept", "two"));
  const two = (await statusOf("kept")).version!;
  assert.equal(outcomeOf(await push(withPin("three")), "kept")?.pins?.[0]?.ref, "v1");
  const { state, version, drift } = await statusOf("kept");
  assert.deepEqual([await direct.text("kept"), state, version], ["one", "pinned", one]);
  assert.match(drift?.because ?? "", /^declared in kept\/wrangler\.toml:\d+$/);
  assert.equal((await platform.diff("default", undefined, AbortSignal.timeout(60_000))).isChange, false);
  await assert.rejects(deploys.unpin(ref("kept"), "latest", ANN), failsWith("ERR_GIT_OWNED"));
  await assert.rejects(deploys.deleteAlias(ref("kept"), "latest", ANN), failsWith("ERR_GIT_OWNED"));
  await deploys.pin(ref("kept"), "latest", { version: two }, ANN);
  await deploys.suspend(ref("kept"), { reason: "looking" }, ANN);
  await deploys.resume(ref("kept"), ANN);
  assert.deepEqual([await direct.text("kept"), deploys.holds(ref("kept"))[0]?.author], ["two", "ann"]);
  await deploys.unpin(ref("kept"), "latest", ANN);
  assert.deepEqual([await direct.text("kept"), (await statusOf("kept")).state], ["one", "pinned"]);
  await run("git", ["push", "--quiet", "--force", remote, `HEAD:refs/tags/v1`], { cwd: repository.dir });
  await until("the tag that moved takes the pin with it", async () => (await direct.text("kept")) === "three");
  await push(functionFiles("kept", "four"));
  assert.deepEqual([await direct.text("kept"), (await statusOf("kept")).state], ["four", "ready"]);
});

test("a diff says what a branch would change, and moves and builds nothing", async () => {
  await push({ ...functionFiles("differs", "one"), ...functionFiles("goes", "x") });
  const before = await statusOf("differs");
  const commit = await repository.commit({
    ...functionFiles("differs", "two"),
    ...functionFiles("comes", "x"),
    goes: null,
  });
  const remote = join(direct.dataDir, "git/functions.git");
  await run("git", ["push", "--quiet", "--force", remote, "HEAD:refs/heads/feature/x"], { cwd: repository.dir });
  const diff = await direct.agent.platform.diff("default", "feature/x", AbortSignal.timeout(60_000));
  const changes = Object.fromEntries(diff.functions.map(({ name, change }) => [name, change]));
  assert.deepEqual([changes.differs, changes.comes, changes.goes], ["update", "create", "remove"]);
  assert.deepEqual([diff.isChange, diff.to], [true, `main@sha1:${commit}`]);
  assert.deepEqual(await statusOf("differs"), before);
  const same = await direct.agent.platform.diff("default", undefined, AbortSignal.timeout(60_000));
  assert.equal(same.functions.find(({ name }) => name === "differs")?.change, "unchanged");
  await assert.rejects(
    direct.agent.platform.diff("default", "nowhere", AbortSignal.timeout(60_000)),
    failsWith("ERR_NOT_FOUND"),
  );
  await push({});
});

test("git takes a function over that was deployed directly on its account, and no other", async () => {
  const { deploys } = direct.agent;
  await direct.deploy("ours", { code: answers("by hand") });
  await direct.deploy("theirs", { code: answers("of bob") }, "bob");
  const report = await push({ ...functionFiles("ours", "by git"), ...functionFiles("theirs", "by git") });
  assert.equal(outcomeOf(report, "ours")?.result, "updated");
  assert.equal(outcomeOf(report, "theirs")?.error?.code, "ERR_NAME_TAKEN");
  assert.deepEqual([await direct.text("ours"), await direct.text("theirs")], ["by git", "of bob"]);
  assert.deepEqual([(await statusOf("ours")).source, (await statusOf("ours")).state], ["default", "ready"]);
  const records = (await direct.agent.platform.functions()).filter(({ name }) => name === "theirs");
  assert.deepEqual(
    records.map(({ account, state }) => [account, state]),
    [
      ["bob", "ready"],
      [MAIN, "name-taken"],
    ],
  );
  assert.equal(deploys.versions(ref("theirs", "bob")).length, 1);
  assert.throws(() => deploys.versions(ref("theirs")), failsWith("ERR_NOT_FOUND"));
});

/** Fails as many of three requests, one after the other. */
const failing = (count: number, text: string) =>
  `let n = 0; export default { fetch() { if (n++ % 3 < ${count}) throw new Error("x"); return new Response("${text}"); } };`;

/** Asks again and again until it is so. */
const askUntil = (name: string, what: string, condition: () => Promise<boolean>) =>
  until(what, async () => {
    for (let request = 0; request < 10; request++) await direct.request(name);
    return condition();
  });

/** The registry knows of a move that nobody asked for a moment before the runtime does. */
const serves = (name: string, text: string) =>
  until(`${name} serves "${text}"`, async () => (await direct.text(name)) === text);

const eventsOf = async (name: string, kind: string) =>
  (await direct.agent.platform.events({ function: name, kinds: [kind], limit: 100 })).events;

test("a version that fails two of three requests goes back by itself with its figures as reason, a good one stays", async () => {
  const { deploys } = direct.agent;
  const tried = (requests: number) => `[wrkst]\nauto_rollback = { requests = ${requests}, seconds = 3600 }\n`;
  await push(functionOf("watched", failing(0, "one"), tried(1_000)));
  const one = (await statusOf("watched")).version!;
  for (let request = 0; request < 60; request++) await direct.request("watched");
  await push(functionOf("watched", failing(2, "two"), tried(1_000)));
  assert.equal((await statusOf("watched")).trial?.before, one);
  await askUntil("watched", "the bad version is gone", async () => (await statusOf("watched")).state !== "ready");
  const { state, version, hold, trial, drift } = await statusOf("watched");
  assert.deepEqual(
    [state, version, hold?.kind, hold?.author, trial],
    ["rolled-back", one, "rollback", "wrkst", undefined],
  );
  assert.match(hold?.reason ?? "", /^\d+ of \d+ requests failed, 0 of (60|6\d) before$/);
  assert.ok(drift?.because.includes(hold!.reason!));
  await serves("watched", "one");
  assert.deepEqual(
    [deploys.deployments(ref("watched"))[0]?.cause, (await eventsOf("watched", "trial.passed")).length],
    ["rollback", 0],
  );
  assert.match((await eventsOf("watched", "function.returned"))[0]?.message ?? "", /requests failed, 0 of \d+ before/);
  const token = (await readFile(direct.agent.tokenFile!, "utf8")).trim();
  const headers = { authorization: `Bearer ${token}` };
  const why = JSON.parse(
    (await sendRequest(direct.port, "localhost", "/api/v1/functions/watched/why", { headers })).text,
  );
  assert.ok(why.decision.includes(hold!.reason), why.decision);
  const again = outcomeOf(await push({ "watched/README.md": "x" }), "watched");
  assert.ok(again === undefined || again.version === hold?.rejected);
  assert.equal(await direct.text("watched"), "one");
  await push(functionOf("watched", failing(0, "three"), tried(20)));
  await askUntil("watched", "the trial is over", async () => (await statusOf("watched")).trial === undefined);
  assert.equal((await eventsOf("watched", "trial.passed")).length, 1);
  assert.deepEqual([(await statusOf("watched")).state, await direct.text("watched")], ["ready", "three"]);
});

test("a gradual version gets its shares one after the other, and all traffic by a person's word", async () => {
  const { deploys } = direct.agent;
  const tried = (requests: number) => `[wrkst]\ngradual = { requests = ${requests}, seconds = 3600 }\n`;
  await push(functionOf("gradual", failing(0, "one"), tried(2)));
  const one = (await statusOf("gradual")).version;
  const report = await push(functionOf("gradual", failing(0, "two"), tried(2)));
  assert.deepEqual([outcomeOf(report, "gradual")?.result, outcomeOf(report, "gradual")?.share], ["updated", 5]);
  await askUntil("gradual", "it has all traffic", async () => (await statusOf("gradual")).state === "ready");
  await serves("gradual", "two");
  const shares = deploys.deployments(ref("gradual")).map(({ split }) => split?.[1]?.percentage ?? 100);
  assert.deepEqual(shares, [100, 25, 5, 100]);
  const two = (await statusOf("gradual")).version;
  assert.notEqual(two, one);
  await push(functionOf("gradual", failing(0, "three"), tried(1_000)));
  const { state, version, declared, drift, trial } = await statusOf("gradual");
  assert.deepEqual([state, version, drift?.reason, trial?.steps], ["gradual", two, "gradual", [25, 100]]);
  assert.equal(outcomeOf(await direct.sync({ force: true }), "gradual")?.result, "unchanged");
  assert.equal((await deploys.promote(ref("gradual"), ANN)).to, declared);
  assert.deepEqual([(await statusOf("gradual")).state, await direct.text("gradual")], ["ready", "three"]);
  await assert.rejects(deploys.promote(ref("gradual"), ANN), failsWith("ERR_CONFLICT"));
  await push(functionOf("gradual", failing(3, "four"), tried(1_000)));
  await deploys.rollback(ref("gradual"), {}, ANN);
  const back = await statusOf("gradual");
  assert.deepEqual(
    [back.state, back.version, back.trial, await direct.text("gradual")],
    ["rolled-back", declared, undefined, "three"],
  );
});

test("what is deployed directly is watched too, and goes back without a hold", async () => {
  const { deploys } = direct.agent;
  const autoRollback = { ...AUTO_ROLLBACK, seconds: 3_600 };
  const one = await direct.deploy("by-hand", { code: failing(0, "one"), autoRollback });
  await direct.deploy("by-hand", { code: failing(3, "two") });
  await askUntil("by-hand", "the bad version is gone", async () => (await statusOf("by-hand")).version === one.id);
  await serves("by-hand", "one");
  assert.deepEqual(deploys.holds(ref("by-hand")), []);
  assert.equal((await eventsOf("by-hand", "function.returned")).length, 1);
  assert.match(deploys.deployments(ref("by-hand"))[0]?.message ?? "", /requests failed/);
});
