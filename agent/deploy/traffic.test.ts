import assert from "node:assert/strict";
import { test } from "node:test";
import { type ErrorCode, WrkstError } from "../errors.js";
import type { Deployment, DeploymentCause, Hold, UploadOrigin } from "../model.js";
import { fc } from "../test-properties.js";
import { checkSplit, greatest, type Move, moveOf, rollbackOf, type Standing, versionBefore } from "./traffic.js";

const hold = (kind: Hold["kind"], more: Partial<Hold> = {}): Hold => {
  return { alias: "latest", kind, version: "g1", author: "ann", createdAt: 1, ...more };
};
const upload: UploadOrigin = { number: 1, kind: "upload", author: "ann", client: "test", secrets: [] };
const ofGit = (id: string) => ({ id });
const byHand = (id: string) => ({ id, upload });

const git: Standing = { name: "a", source: "default", latest: "g3", declared: "g3", hold: undefined };
const direct: Standing = { name: "a", source: null, latest: "u1", declared: null, hold: undefined };

const moves: {
  name: string;
  standing: Standing;
  to: { id: string; upload?: UploadOrigin }[];
  isOlder?: boolean;
  force?: boolean;
  expected: Move | ErrorCode;
}[] = [
  { name: "a direct function moves", standing: direct, to: [byHand("u2")], expected: { cause: "api" } },
  {
    name: "going back by hand is a rollback",
    standing: direct,
    to: [byHand("u0")],
    isOlder: true,
    expected: { cause: "rollback" },
  },
  {
    name: "a pin of a direct function is in the way",
    standing: { ...direct, hold: hold("pin") },
    to: [byHand("u2")],
    expected: "ERR_CONFLICT",
  },
  {
    name: "and gives way to force",
    standing: { ...direct, hold: hold("pin") },
    to: [byHand("u2")],
    force: true,
    expected: { cause: "api", release: true },
  },
  { name: "an upload on a function of git is refused", standing: git, to: [byHand("u1")], expected: "ERR_GIT_OWNED" },
  {
    name: "forced, it is a pin",
    standing: git,
    to: [byHand("u1")],
    force: true,
    expected: { cause: "pin", hold: { kind: "pin" } },
  },
  {
    name: "a division on a function of git is refused",
    standing: git,
    to: [ofGit("g3"), ofGit("g2")],
    expected: "ERR_GIT_OWNED",
  },
  {
    name: "an older version of git is a rollback",
    standing: git,
    to: [ofGit("g2")],
    expected: { cause: "rollback", hold: { kind: "rollback", rejected: "g3" } },
  },
  {
    name: "also by force",
    standing: git,
    to: [ofGit("g2")],
    force: true,
    expected: { cause: "rollback", hold: { kind: "rollback", rejected: "g3" } },
  },
  {
    name: "also where an upload is pinned",
    standing: { ...git, latest: "u1", hold: hold("pin") },
    to: [ofGit("g2")],
    expected: { cause: "rollback", hold: { kind: "rollback", rejected: "g3" } },
  },
  { name: "the newest of git is what serves", standing: git, to: [ofGit("g3")], expected: { cause: "api" } },
  {
    name: "the newest of git ends a hold",
    standing: { ...git, latest: "g1", hold: hold("pin") },
    to: [ofGit("g3")],
    expected: { cause: "unpin", release: true },
  },
];
for (const { name, standing, to, isOlder = false, force = false, expected } of moves) {
  test(`a move by hand: ${name}`, () => {
    const decide = () => moveOf(standing, { versions: to, isOlder, force });
    if (typeof expected !== "string") assert.deepEqual(decide(), expected);
    else assert.throws(decide, (error) => error instanceof WrkstError && error.code === expected);
  });
}

test("a rollback remembers what git gave last, and what serves where git gave nothing", () => {
  assert.deepEqual(rollbackOf(git).hold, { kind: "rollback", rejected: "g3" });
  assert.deepEqual(rollbackOf({ ...git, latest: "g1", hold: hold("rollback") }).hold?.rejected, "g3");
  assert.deepEqual(rollbackOf({ ...git, latest: "u1", declared: null }).hold?.rejected, "u1");
  assert.deepEqual(rollbackOf(direct), { cause: "rollback", release: true });
});

test("two shares of three decimals that sum to 100 pass, and no others", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 100_000 }), fc.integer({ min: -5, max: 5 }), (part, off) => {
      const versions = [part, 100_000 - part + off].map((share, index) => ({
        version: `v${index}`,
        percentage: share / 1000,
      }));
      const isFine = off === 0;
      if (isFine) assert.doesNotThrow(() => checkSplit(versions));
      else assert.throws(() => checkSplit(versions));
    }),
  );
});

test("of equal shares the first is what counts as latest", () => {
  assert.equal(
    greatest([
      { version: "a", percentage: 50 },
      { version: "b", percentage: 50 },
    ]),
    "a",
  );
  assert.equal(
    greatest([
      { version: "a", percentage: 0 },
      { version: "b", percentage: 100 },
    ]),
    "b",
  );
});

const histories: {
  name: string;
  moves: [DeploymentCause, string | null][];
  latest: string | null;
  expected: string | undefined;
}[] = [
  {
    name: "the one before",
    moves: [
      ["push", "a"],
      ["push", "b"],
    ],
    latest: "b",
    expected: "a",
  },
  {
    name: "further back after a rollback",
    moves: [
      ["push", "a"],
      ["push", "b"],
      ["push", "c"],
      ["rollback", "b"],
    ],
    latest: "b",
    expected: "a",
  },
  { name: "none before the first", moves: [["push", "a"]], latest: "a", expected: undefined },
  {
    name: "not what a secret deployed again",
    moves: [
      ["push", "a"],
      ["push", "b"],
      ["secret", "b"],
    ],
    latest: "b",
    expected: "a",
  },
  {
    name: "the last one where nothing serves",
    moves: [
      ["push", "a"],
      ["removal", null],
    ],
    latest: null,
    expected: "a",
  },
];
for (const { name, moves: made, latest, expected } of histories) {
  test(`a rollback leads to ${name}`, () => {
    const deployments = made.map(([cause, to]): Deployment => {
      return { id: "d", function: "f", at: 1, cause, author: "ann", revision: null, from: null, to };
    });
    assert.equal(versionBefore(latest, deployments.reverse()), expected);
  });
}
