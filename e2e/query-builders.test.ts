// The D1 drivers of drizzle-orm and kysely, unchanged: a small application on each, installed from its lockfile, bundled,
// migrated and served by the platform. What is expected is what they do on Cloudflare.
import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { createRepository, startAgent, type TestAgent, type TestRepository } from "./harness.js";
import { deploy } from "./traffic.js";

const FIXTURE = "e2e/fixtures/query-builders";

let agent: TestAgent;
let repository: TestRepository;

before(async () => {
  agent = await startAgent();
  repository = await createRepository();
  await deploy(agent, repository, await filesUnder(FIXTURE));
});
after(async () => {
  await agent?.stop();
  await repository?.remove();
});

async function filesUnder(folder: string): Promise<Record<string, Uint8Array>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return Object.fromEntries(
    await Promise.all(paths.map(async (path) => [path.slice(folder.length + 1), await readFile(path)] as const)),
  );
}

async function answerOf(name: string): Promise<Record<string, unknown>> {
  const { status, text } = await agent.request(name);
  assert.equal(status, 200, text);
  return JSON.parse(text);
}

const ADA = { id: 1, name: "Ada", alive: false, born: "1815-12-10T00:00:00.000Z" };
const CONSTRAINT = "SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT";

test("a small application on drizzle-orm runs unchanged", async () => {
  assert.deepEqual(await answerOf("drizzle"), {
    ada: ADA,
    changes: 3,
    joined: [
      { title: "Notes", author: "Ada", alive: false, tags: ["engines", "notes"] },
      { title: "Letters", author: "Ada", alive: false, tags: [] },
      { title: "Essays", author: "Ben", alive: true, tags: [] },
    ],
    whole: 3,
    nested: [
      { ...ADA, books: [{ title: "Notes" }, { title: "Letters" }] },
      { id: 2, name: "Ben", alive: true, born: null, books: [{ title: "Essays" }] },
    ],
    one: { id: 1, title: "Notes", authorId: 1, tags: ["engines", "notes"], cover: [0, 1, 255], author: ADA },
    batched: [[{ id: 3 }], [{ id: 2, title: "Collected letters", authorId: 1, tags: [], cover: null }], [{ books: 3 }]],
    upserted: [{ id: 3, name: "Cid", alive: false, born: null }],
    failed: true,
    transaction: "no transaction",
    left: [{ name: "Ben" }, { name: "Cid" }],
    cascaded: [],
    essays: "Essays",
    raw: [{ n: 1 }],
  });
});

test("a small application on kysely runs unchanged", async () => {
  assert.deepEqual(await answerOf("kysely"), {
    ann: { id: 1, name: "Ann" },
    insertId: 2,
    inserted: 3,
    sums: [
      { name: "Ann", cents: 1050, orders: 2 },
      { name: "Ben", cents: 150, orders: 1 },
    ],
    cheap: [{ name: "Ann" }, { name: "Ben" }],
    updated: 2,
    upserted: { id: 1, name: "Ann", since: "2026-01-01" },
    failures: {
      check: `D1_ERROR: CHECK constraint failed: cents >= 0: ${CONSTRAINT}_CHECK)`,
      reference: `D1_ERROR: FOREIGN KEY constraint failed: ${CONSTRAINT}_FOREIGNKEY)`,
      transaction: "Transactions are not supported yet.",
    },
    left: [{ n: 1 }],
  });
});
