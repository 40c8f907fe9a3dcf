import assert from "node:assert/strict";
import { test } from "node:test";
import type { Declaration, Hold, Manifest } from "../model.js";
import { fc } from "../test-properties.js";
import {
  type Candidate,
  checkPruneLimit,
  dueRemovals,
  type KnownFunction,
  planRevision,
  type Surroundings,
} from "./plan.js";

const nowhere: Surroundings = { blobOf: () => undefined, namesOf: () => undefined };
const manifest = {} as Manifest;

function declare(name: string, extra: Partial<Declaration> = {}): Declaration {
  return { folder: name, file: `${name}/wrangler.toml`, name, manifest, warnings: [], ...extra };
}
function candidate(name: string, extra: Partial<Candidate> = {}): Candidate {
  return { declaration: declare(name), pastBuilds: [], ...extra };
}
function known(name: string, extra: Partial<KnownFunction> = {}): KnownFunction {
  const version = `v-${name}`;
  const serving = { latest: version, declared: version, withdrawn: false, removed: false };
  return { name, source: "default", folder: name, account: "main", ...serving, ...extra };
}
function build(version: string, inputs = { files: {}, folders: {} }, folder = "a") {
  return { version, bundler: "b", inputs: { folder, ...inputs } };
}
function plan(candidates: Candidate[], existing: KnownFunction[], surroundings = nowhere) {
  return planRevision({ source: "default", account: "main", bundler: "b", candidates, known: existing, surroundings });
}
const pinned: Hold = { alias: "latest", kind: "pin", version: "v-a", author: "ann", createdAt: 1 };
const broken = { code: "ERR_MANIFEST", message: "broken" } as const;

const cases: { name: string; candidates: Candidate[]; known: KnownFunction[]; steps: string[]; removals: string[] }[] =
  [
    { name: "builds a new function", candidates: [candidate("a")], known: [], steps: ["build a"], removals: [] },
    {
      name: "keeps a function whose folder and surroundings are the same",
      candidates: [candidate("a", { pastBuilds: [build("v-a")] })],
      known: [known("a")],
      steps: ["keep a"],
      removals: [],
    },
    {
      name: "re-uses an older build after a revert",
      candidates: [candidate("a", { pastBuilds: [build("v-old")] })],
      known: [known("a")],
      steps: ["reuse a"],
      removals: [],
    },
    {
      name: "builds again where the folder lies elsewhere",
      candidates: [candidate("a", { pastBuilds: [build("v-a", undefined, "old/a")] })],
      known: [known("a")],
      steps: ["build a"],
      removals: [],
    },
    {
      name: "builds again when the bundler changed",
      candidates: [candidate("a", { pastBuilds: [{ ...build("v-a"), bundler: "older" }] })],
      known: [known("a")],
      steps: ["build a"],
      removals: [],
    },
    {
      name: "re-uses the version of a function that was removed and comes back",
      candidates: [candidate("a", { pastBuilds: [build("v-a")] })],
      known: [known("a", { removed: true })],
      steps: ["reuse a"],
      removals: [],
    },
    {
      name: "keeps what is held back and was given before",
      candidates: [candidate("a", { pastBuilds: [build("v-new")] })],
      known: [known("a", { declared: "v-new", hold: pinned })],
      steps: ["keep a"],
      removals: [],
    },
    {
      name: "re-uses for what is held back a version that was not given before",
      candidates: [candidate("a", { pastBuilds: [build("v-newer")] })],
      known: [known("a", { declared: "v-new", hold: pinned })],
      steps: ["reuse a"],
      removals: [],
    },
    {
      name: "does not take the end of a rollback for nothing to do",
      candidates: [candidate("a", { pastBuilds: [build("v-a")] })],
      known: [known("a", { declared: "v-bad", hold: { ...pinned, kind: "rollback", rejected: "v-bad" } })],
      steps: ["reuse a"],
      removals: [],
    },
    {
      name: "plans the removal of what is pinned once",
      candidates: [],
      known: [
        known("a", { hold: pinned }),
        known("b", { hold: pinned, withdrawn: true }),
        known("c", { withdrawn: true }),
      ],
      steps: [],
      removals: ["a", "c"],
    },
    { name: "removes what is declared no longer", candidates: [], known: [known("a")], steps: [], removals: ["a"] },
    {
      name: "does not remove what another source or nobody declares",
      candidates: [],
      known: [known("a", { source: "other" }), known("b", { source: null })],
      steps: [],
      removals: [],
    },
    {
      name: "fails a name that another source declares",
      candidates: [candidate("a")],
      known: [known("a", { source: "other" })],
      steps: ["fail a"],
      removals: [],
    },
    {
      name: "fails a name of another account",
      candidates: [candidate("a")],
      known: [known("a", { account: "eve", source: null })],
      steps: ["fail a"],
      removals: [],
    },
    {
      name: "takes over what the same account deployed directly",
      candidates: [candidate("a")],
      known: [known("a", { source: null })],
      steps: ["build a"],
      removals: [],
    },
    {
      name: "fails a broken file without removing the function, also when the file hides its name",
      candidates: [candidate("a", { declaration: declare("a", { error: broken }) })],
      known: [known("a-api", { folder: "a" })],
      steps: ["fail a-api"],
      removals: [],
    },
    {
      name: "plans a renaming as creation and removal",
      candidates: [candidate("new", { declaration: declare("new", { folder: "a" }) })],
      known: [known("old", { folder: "a" })],
      steps: ["build new"],
      removals: ["old"],
    },
  ];

for (const entry of cases) {
  test(entry.name, () => {
    const { steps, removals } = plan(entry.candidates, entry.known);
    assert.deepEqual(
      steps.map((step) => `${step.kind} ${step.declaration.name}`),
      entry.steps,
    );
    assert.deepEqual(removals, entry.removals);
  });
}

test("builds exactly the importers of a shared file that changed", () => {
  const inputs = { files: { "shared/x.ts": "1" }, folders: { shared: "n" } };
  const candidates = [
    candidate("importer", { pastBuilds: [build("v-importer", inputs, "importer")] }),
    candidate("other", { pastBuilds: [build("v-other", undefined, "other")] }),
  ];
  const around = (blob: string, names: string) => ({ blobOf: () => blob, namesOf: () => names });
  const kinds = (blob: string, names: string) =>
    plan(candidates, [known("importer"), known("other")], around(blob, names)).steps.map((step) => step.kind);
  assert.deepEqual(kinds("1", "n"), ["keep", "keep"]);
  assert.deepEqual(kinds("2", "n"), ["build", "keep"]);
  assert.deepEqual(kinds("1", "m"), ["build", "keep"]);
});

test("a renaming that fails keeps the old name", () => {
  const existing = [known("old", { folder: "a" })];
  const renamed = plan([candidate("new", { declaration: declare("new", { folder: "a" }) })], existing);
  assert.deepEqual(dueRemovals(renamed, existing, new Set(["a"])), []);
  assert.deepEqual(dueRemovals(renamed, existing, new Set()), ["old"]);
});

const PRUNE = { limit: { share: 0.5, count: 3 }, source: "default", isSeed: false };

test("a sudden removal of most functions waits for a person, a small one does not", () => {
  const existing = Array.from({ length: 10 }, (_, index) => known(`f${index}`));
  const after = (kept: number) =>
    plan(
      existing.slice(0, kept).map((entry) => candidate(entry.name)),
      existing,
    );
  const check = (kept: number, more = {}) => checkPruneLimit(after(kept), existing, { ...PRUNE, ...more });
  assert.equal(check(5), undefined);
  assert.equal(check(4)?.code, "ERR_PRUNE_LIMIT");
  assert.match(check(4)?.hint ?? "", /wrkst sync --prune --wait/);
  assert.equal(check(0)?.code, "ERR_PRUNE_LIMIT");
  assert.equal(check(10), undefined);
  assert.equal(check(1, { isSeed: true }), undefined);
  assert.equal(check(0, { isSeed: true })?.code, "ERR_PRUNE_LIMIT");
});

test("functions that never served do not count towards the prune limit", () => {
  const existing = Array.from({ length: 7 }, (_, index) => known(`f${index}`, index > 0 ? { latest: null } : {}));
  const kept = plan([candidate("f0")], existing);
  assert.equal(checkPruneLimit(kept, existing, PRUNE), undefined);
});

test("every function of the source is planned or removed, never both, whatever the histories", () => {
  const names = fc.uniqueArray(fc.constantFrom("a", "b", "c", "d", "e"), { maxLength: 5 });
  fc.assert(
    fc.property(names, names, fc.boolean(), (declared, existing, fail) => {
      const result = plan(
        declared.map((name) =>
          candidate(
            name,
            fail ? { declaration: declare(name, { error: broken }) } : { pastBuilds: [build(`v-${name}`)] },
          ),
        ),
        existing.map((name) => known(name)),
      );
      const planned = result.steps.map((step) => step.declaration.name);
      assert.deepEqual(planned, [...declared].sort());
      assert.deepEqual(result.removals, existing.filter((name) => !declared.includes(name)).sort());
    }),
  );
});
