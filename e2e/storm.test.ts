// Many functions, many commits, many pushers, many requests at once: what serves only ever moves forward, and no request pays for it.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { createRepository, functionFiles, startAgent, type TestAgent, type TestRepository, until } from "./harness.js";
import { startTraffic, switchVersions } from "./switches.js";

const run = promisify(execFile);
const LATE = "a newer revision took over";

let agent: TestAgent;
let repository: TestRepository;

before(async () => {
  [agent, repository] = await Promise.all([startAgent(), createRepository()]);
});
after(async () => {
  await Promise.all([agent?.stop(), repository?.remove()]);
});

const embedded = () => join(agent.dataDir, "git/functions.git");
const branch = async () => (await run("git", ["-C", embedded(), "rev-parse", "main"])).stdout.trim();

async function served(name: string): Promise<string> {
  return (await agent.request(name)).text;
}

/** Commits "1", "2" … of one function, in order; none is pushed. */
async function commitNumbers(name: string, count: number): Promise<string[]> {
  const commits: string[] = [];
  for (let number = 1; number <= count; number++) {
    commits.push(await repository.commit(functionFiles(name, String(number))));
  }
  return commits;
}

/** Asks until stopped; answers what was seen, each answer once, in the order of the answers. */
function pollAnswers(name: string): { stop(): Promise<string[]> } {
  const seen: string[] = [];
  let stopped = false;
  const polling = (async () => {
    while (!stopped) {
      const { status, text } = await agent.request(name);
      assert.equal(status, 200, text);
      if (seen.at(-1) !== text) seen.push(text);
    }
    return seen;
  })();
  return {
    stop: () => {
      stopped = true;
      return polling;
    },
  };
}

function assertAscending(seen: string[]): void {
  const numbers = seen.map(Number);
  assert.deepEqual(
    numbers,
    numbers.toSorted((a, b) => a - b),
    "an older answer came after a newer one",
  );
}

test("100 functions in one push are all served", async () => {
  const names = Array.from({ length: 100 }, (_, index) => `many-${index}`);
  await repository.commit(Object.assign({}, ...names.map((name) => functionFiles(name, `I am ${name}`))));
  const pushed = await repository.push(agent);
  assert.match(pushed.output, /100 created/);
  const answers = await Promise.all(names.map(served));
  assert.deepEqual(
    answers,
    names.map((name) => `I am ${name}`),
  );
  assert.equal((await agent.status()).runtime.restarts, 0);
});

test("of commits that come faster than they can be built only the newest has to serve, and none comes back", async () => {
  await repository.commit(functionFiles("number", "0"));
  await repository.push(agent);
  const commits = await commitNumbers("number", 50);
  await repository.push(agent, "HEAD:refs/heads/aside");
  const pollers = [pollAnswers("number"), pollAnswers("number")];
  for (const commit of commits) await run("git", ["-C", embedded(), "update-ref", "refs/heads/main", commit]);
  await until("the newest serves", async () => (await served("number")) === "50");
  for (const seen of await Promise.all(pollers.map((poller) => poller.stop()))) {
    assertAscending(seen);
    assert.equal(seen.at(-1), "50");
  }
  assert.match((await agent.functionStatus("number")).revision ?? "", new RegExp(`${commits.at(-1)}$`));
});

test("each of 10 pushes in a row is accepted and hears that it serves or that a newer one took over", async () => {
  await repository.commit(functionFiles("pushed", "0"));
  await repository.push(agent);
  const commits = await commitNumbers("pushed", 10);
  const poller = pollAnswers("pushed");
  const pushes: ReturnType<TestRepository["push"]>[] = [];
  for (const commit of commits) {
    pushes.push(repository.push(agent, `${commit}:main`));
    // The next one begins as soon as git moved the branch, long before the functions switched.
    await until("the branch moved", async () => (await branch()) === commit);
  }
  const results = await Promise.all(pushes);
  const seen = await poller.stop();
  assertAscending(seen);
  assert.equal(await served("pushed"), "10");
  for (const { ok, output } of results) {
    assert.ok(ok, output);
    assert.match(output, new RegExp(`${LATE}|live in`));
  }
  assert.match(results.at(-1)!.output, /live in/);
  // Whether a push is overtaken depends on the machine: a fast one serves each of them first. That the overtaken one is
  // told is held by reconcile/loop.test.ts.
});

test("of pushes to one branch at the same moment one wins, and the others serve after a rebase", async () => {
  const names = ["red", "green", "blue", "white"];
  const clones = await Promise.all(names.map(() => createRepository()));
  try {
    await Promise.all(
      clones.map(async (clone, index) => {
        await clone.git("pull", "--quiet", embedded(), "main");
        await clone.commit(functionFiles(names[index]!, `${names[index]}`));
      }),
    );
    const results = await Promise.all(clones.map((clone) => clone.push(agent)));
    assert.equal(results.filter(({ ok }) => ok).length, 1, results.map(({ output }) => output).join("\n"));
    for (const [index, { ok }] of results.entries()) {
      assert.equal((await agent.request(names[index]!)).status, ok ? 200 : 404);
    }
    for (const [index, clone] of clones.entries()) {
      if (results[index]!.ok) continue;
      await clone.git("pull", "--quiet", "--rebase", embedded(), "main");
      const pushed = await clone.push(agent);
      assert.ok(pushed.ok, pushed.output);
    }
    assert.deepEqual(await Promise.all(names.map(served)), names);
    await repository.git("pull", "--quiet", "--rebase", embedded(), "main");
  } finally {
    await Promise.all(clones.map((clone) => clone.remove()));
  }
});

test("no request fails during 15 switches, and each ends on the version it began with", async () => {
  const traffic = startTraffic(agent, ["busy", "steady"]);
  await switchVersions({ agent, repository, name: "busy", count: 15, traffic });
  const { answered, failures, versions } = await traffic.stop();
  assert.deepEqual(failures, []);
  assert.ok(answered > 100, `only ${answered} requests`);
  assert.ok(versions.size > 5, `only ${versions.size} versions were seen`);
});
