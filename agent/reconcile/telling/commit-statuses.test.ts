import assert from "node:assert/strict";
import { after, afterEach, type TestContext, test } from "node:test";
import type { CommitStatusRequest, SourceDetail } from "../../model.js";
import { listen } from "../../notify/testing.js";
import { commitOf, newTelling, outcome, type TestTelling } from "./testing.js";

const forge = await listen();
after(() => forge.close());
const answer = forge.answer;
afterEach(() => {
  forge.heard.length = 0;
  forge.answer = answer;
});

const [A, B] = [commitOf("a"), commitOf("b")];
const by = { name: "ada", email: null, credential: "admin", address: "127.0.0.1" };
const failed = (name: string, message: string) =>
  outcome(name, {
    result: "failed",
    error: { code: "ERR_BUNDLE", message, position: { file: "f/index.ts", line: 3 } },
  });
const detailOf = (name: string, repo = "git@git.example.com:you/shop.git") =>
  ({ name, settings: { repo } }) as Pick<SourceDetail, "name" | "settings">;
const show = (telling: TestTelling, source = "shop", more: CommitStatusRequest = {}) =>
  telling.telling.setCommitStatus(
    detailOf(source),
    { provider: "gitea", api: `${forge.url}/api/v1`, token: "t0ken", ...more },
    by,
  );
const said = () =>
  forge.heard.map(({ path, body }) => {
    const { state, description } = JSON.parse(body) as { state: string; description: string };
    return `${path.split("/").at(-1)?.[0]} ${state}: ${description}`;
  });

async function started(t: TestContext): Promise<TestTelling> {
  const telling = newTelling(t);
  await show(telling);
  telling.telling.start();
  return telling;
}

test("shows a commit as pending when a pass begins to work on it, and what came of it at the end", async (t) => {
  const { telling, begin, end, counted, looked, registry } = await started(t);
  begin(A, 3);
  await telling.calm();
  end(A, { functions: [outcome("hello"), outcome("other", { result: "unchanged" })] });
  await telling.calm();
  const [first, last] = forge.heard;
  assert.deepEqual([first?.method, first?.path], ["POST", `/api/v1/repos/you/shop/statuses/${A}`]);
  assert.equal(first?.headers.authorization, "token t0ken");
  assert.deepEqual(JSON.parse(first!.body), {
    ...{ state: "pending", description: "deploying 3 changes", context: "wrkst/shop" },
  });
  assert.deepEqual(JSON.parse(last!.body), {
    ...{ state: "success", target_url: "https://hello.w.example.com" },
    ...{ description: "1 updated, 1 unchanged", context: "wrkst/shop" },
  });
  assert.deepEqual([counted, looked], [["gitea sent", "gitea sent"], ["shop"]]);
  const { sentAt, problem } = registry.commitStatuses.detail("shop")!;
  assert.deepEqual([typeof sentAt, problem], ["number", undefined]);
});

test("says how many functions failed and why the first one did, or why the whole pass did", async (t) => {
  const { telling, begin, end } = await started(t);
  begin(A, 2);
  end(A, { functions: [failed("hello", 'expected ";"\nbut'), failed("other", "no"), outcome("third")] });
  await telling.calm();
  const { target_url, ...first } = JSON.parse(forge.heard[0]!.body);
  assert.deepEqual(first, {
    ...{ state: "failure", context: "wrkst/shop" },
    description: '2 of 3 functions failed: hello: f/index.ts:3: expected ";" but',
  });
  assert.equal(target_url, "https://w.example.com/api/v1/sources/shop");
  begin(B);
  end(B, { result: "failed", functions: [], to: null, error: { code: "ERR_PRUNE_LIMIT", message: "4 would go" } });
  await telling.calm();
  assert.deepEqual(said().slice(1), ["b failure: 4 would go"]);
});

test("says nothing again, and nothing of a pass that looked at no commit", async (t) => {
  const { telling, begin, end } = await started(t);
  end(A, { result: "unchanged", functions: [] });
  end(A, { result: "failed", to: null, functions: [], error: { code: "ERR_GIT_UNREACHABLE", message: "away" } });
  await telling.calm();
  assert.deepEqual(said(), []);
  for (const functions of [[outcome("hello")], [outcome("hello", { result: "unchanged" })]]) {
    begin(A);
    end(A, { functions });
    await telling.calm();
  }
  assert.deepEqual(said(), ["a success: 1 updated"]);
});

test("says of a retry what is new: another failure, and that it is well in the end", async (t) => {
  const { telling, begin, end } = await started(t);
  for (const functions of [[failed("a", "one")], [failed("a", "one")], [failed("a", "two")], [outcome("a")]]) {
    begin(A);
    end(A, { functions });
    await telling.calm();
  }
  const reason = "1 of 1 function failed: a: f/index.ts:3:";
  assert.deepEqual(said(), [`a failure: ${reason} one`, `a failure: ${reason} two`, "a success: 1 updated"]);
});

test("shows a commit that was overtaken as such where it was shown as pending, and never anything late", async (t) => {
  const { telling, begin, end } = await started(t);
  begin(A);
  await telling.calm();
  end(A, { result: "superseded", functions: [], error: { code: "ERR_SUPERSEDED", message: "newer" } });
  begin(B);
  end(B);
  await telling.calm();
  assert.deepEqual(said().sort(), [
    "a error: superseded by bbbbbbb",
    "a pending: deploying 1 change",
    "b success: 1 updated",
  ]);
  begin(commitOf("c"));
  begin(commitOf("d"));
  await telling.calm();
  assert.deepEqual(said().slice(3), ["d pending: deploying 1 change"]);
});

test("tries again after a failure, as late as the forge asks for, and then says the newest only", async (t) => {
  const { telling, begin, end, tick, clock, counted } = await started(t);
  forge.answer = (res) => res.writeHead(503, { "retry-after": "60" }).end();
  begin(A);
  await telling.calm();
  const since = clock.now;
  forge.answer = answer;
  await tick();
  assert.deepEqual([clock.now - since, counted], [60_000, ["gitea again", "gitea sent"]]);
  forge.answer = (res) => res.writeHead(502).end();
  end(A, { functions: [failed("a", "one")] });
  await telling.calm();
  begin(A);
  forge.answer = answer;
  end(A);
  await telling.calm();
  assert.deepEqual(
    said().map((line) => line.split(":")[0]),
    ["a pending", "a pending", "a failure", "a success"],
  );
});

test("gives up after a day, or at once where the forge refuses, and says so once until it is well again", async (t) => {
  const { telling, begin, end, tick, clock, registry, counted } = await started(t);
  forge.answer = (res) => req404(res);
  begin(A);
  end(A);
  await telling.calm();
  begin(B);
  end(B);
  await telling.calm();
  const detail = () => registry.commitStatuses.detail("shop")!;
  assert.equal(detail().problem, "it answered 404");
  const since = clock.now;
  forge.answer = (res) => res.writeHead(500).end();
  begin(commitOf("c"));
  await telling.calm();
  for (let tries = 0; tries < 60 && counted.at(-1) !== "gitea given-up"; tries++) await tick();
  assert.match(detail().problem!, /^given up after \d+ attempts: it answered 500$/);
  assert.ok(clock.now - since <= 86_400_000, String(clock.now - since));
  forge.answer = answer;
  end(commitOf("c"));
  begin(commitOf("d"));
  end(commitOf("d"));
  await telling.calm();
  assert.equal(detail().problem, undefined);
  const kinds = registry.events({ limit: 10, source: "shop" }).map(({ kind }) => kind);
  assert.deepEqual(kinds.reverse(), ["commit-status.set", "commit-status.failed", "commit-status.recovered"]);
});

const req404 = (res: { writeHead(status: number): { end(text: string): void } }) => res.writeHead(404).end("t0ken?");

test("what waits is sent after a restart, and a commit that was pending at a kill is finished by the next pass (D2)", async (t) => {
  const before = newTelling(t);
  await show(before);
  before.begin(A);
  const { telling, begin, end } = await before.restart();
  telling.start();
  await telling.calm();
  begin(A, 0);
  end(A, { result: "unchanged", functions: [outcome("hello", { result: "unchanged" })] });
  await telling.calm();
  assert.deepEqual(said(), ["a pending: deploying 1 change", "a success: 1 unchanged"]);
});

test("a forge that hangs holds up no pass and no other source, and is left when the agent stops", async (t) => {
  const { telling, begin, end, registry } = await started(t);
  await show({ telling } as TestTelling, "other", { context: "other" });
  let told = () => {};
  const other = new Promise<void>((resolve) => {
    told = resolve;
  });
  forge.answer = (res, { body }) => {
    if (!body.includes('"other"')) return;
    res.writeHead(201).end();
    told();
  };
  begin(A);
  end(A);
  begin(B, 1, "other");
  end(B, {}, "other");
  await other;
  await telling.close();
  assert.equal(
    registry.commitStatuses.due(Number.MAX_SAFE_INTEGER / 2).some(({ source }) => source === "shop"),
    true,
  );
});

test("keeps a token only for the host that it was given for, and shows it nowhere (B8)", async (t) => {
  const opened = await started(t);
  const { telling, begin, registry, logged } = opened;
  await telling.setCommitStatus(detailOf("shop"), { provider: "gitea", api: `${forge.url}/other` }, by);
  begin(A);
  await telling.calm();
  assert.equal(forge.heard[0]?.headers.authorization, "token t0ken");
  assert.equal(forge.heard[0]?.path.startsWith("/other/repos"), true);
  const elsewhere = { provider: "gitea", api: "https://evil.example.com/api/v1" } as const;
  await assert.rejects(telling.setCommitStatus(detailOf("shop"), elsewhere, by), { code: "ERR_INVALID" });
  const inside = { ...elsewhere, api: "http://127.0.0.2/api/v1", token: "t" };
  await assert.rejects(telling.setCommitStatus(detailOf("shop"), inside, by), { code: "ERR_INVALID" });
  const shown = JSON.stringify([registry.events({ limit: 50 }), registry.commitStatuses.detail("shop"), logged]);
  assert.ok(!shown.includes("t0ken"), shown);
});

test("forgets what it was told with the end of the setting, and with the source", async (t) => {
  const { telling, begin, registry } = await started(t);
  telling.removeCommitStatus("shop", by);
  begin(A);
  await telling.calm();
  assert.deepEqual([said(), registry.commitStatuses.detail("shop")], [[], undefined]);
  assert.throws(() => telling.removeCommitStatus("shop", by), { code: "ERR_NOT_FOUND" });
  await show({ telling } as TestTelling);
  registry.applySwitch({ cause: "removal", author: "ada", functions: [], forgets: "shop" });
  assert.equal(registry.commitStatuses.detail("shop"), undefined);
});

test("a registry that fails stops no pass", async (t) => {
  const { begin, end, registry, logged } = newTelling(t);
  registry.close();
  begin(A);
  end(A);
  assert.equal(logged.length, 2);
});
