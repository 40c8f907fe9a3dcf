import assert from "node:assert/strict";
import { test } from "node:test";
import { type ErrorCode, WrkstError } from "../errors.js";
import type { Actor, Hold } from "../model.js";
import { fc, runs } from "../test-properties.js";
import type { DirectChange } from "./direct.js";
import type { Registry } from "./registry.js";
import { change, DAY, newRegistry, push, version } from "./test-registry.js";

const ANN: Actor = { name: "ann", email: null, credential: "api-token:1", address: "10.0.0.1" };
const is = (code: ErrorCode) => (error: unknown) => error instanceof WrkstError && error.code === code;

function by(name: string, more: Partial<DirectChange>): DirectChange {
  return { account: "main", name, cause: "api", by: ANN, events: [], ...more };
}

function upload(registry: Registry, name: string, label: string, more: Partial<DirectChange> = {}): void {
  const origin = { number: 0, kind: "upload", author: "ann", client: "test", secrets: [] } as const;
  const made = version(name, label, { upload: { ...origin, secrets: [] } });
  registry.applyDirect(by(name, { create: `id-${name}`, version: { version: made, secrets: { S: label } }, ...more }));
}

const pin = (version: string, more: Partial<Hold> = {}) => ({
  alias: "latest",
  kind: "pin" as const,
  version,
  ...more,
});

test("an upload makes the function, counts on, and its deployment is recorded with who and from where", (t) => {
  const { registry } = newRegistry(t);
  upload(registry, "hello", "1", { events: [{ kind: "version.uploaded", message: "m" }] });
  assert.deepEqual(registry.functionByName("hello")?.state, "pending");
  upload(registry, "hello", "2", { latest: "hello@2" });
  const record = registry.functionByName("hello")!;
  assert.deepEqual([record.id, record.state, record.latest, record.source], ["id-hello", "ready", "hello@2", null]);
  assert.deepEqual(
    registry.versions(record.id).map(({ id, upload }) => [id, upload?.number]),
    [
      ["hello@2", 2],
      ["hello@1", 1],
    ],
  );
  assert.deepEqual(registry.versionSecrets("hello@1"), { S: "1" });
  const [deployment] = registry.deployments(record.id);
  assert.deepEqual(
    [deployment?.author, deployment?.credential, deployment?.address],
    ["ann", "api-token:1", "10.0.0.1"],
  );
  assert.deepEqual(registry.events({ limit: 1 })[0]?.actor, ANN);
});

test("a change that fails changes nothing", (t) => {
  const { registry } = newRegistry(t);
  upload(registry, "hello", "1", { latest: "hello@1" });
  const before = [registry.functions(), registry.routeGeneration(), registry.events({ limit: 9 })];
  const events = [{ kind: "x", message: "x" }];
  assert.throws(() => registry.applyDirect(by("hello", { latest: "unknown", events })), TypeError);
  assert.throws(() => registry.applyDirect(by("none", { events })), is("ERR_NOT_FOUND"));
  assert.throws(() => registry.applyDirect({ ...by("hello", { events }), account: "eve" }), is("ERR_NOT_FOUND"));
  assert.throws(
    () => registry.applyDirect({ ...by("hello", { create: "x", events }), account: "eve" }),
    is("ERR_NAME_TAKEN"),
  );
  assert.deepEqual([registry.functions(), registry.routeGeneration(), registry.events({ limit: 9 })], before);
});

test("a push does not move what is pinned, remembers what it gave, and hosts by commit know it", (t) => {
  const { registry } = newRegistry(t);
  push(registry, "a", { hello: "1" });
  registry.applyDirect(by("hello", { cause: "pin", latest: "hello@1", holds: [pin("hello@1")] }));
  push(registry, "b", { hello: "2" });
  const record = registry.functionByName("hello")!;
  assert.deepEqual([record.state, record.latest, record.declared], ["pinned", "hello@1", "hello@2"]);
  assert.equal(registry.deployments(record.id).length, 2);
  assert.deepEqual(
    registry.routeState().functions[0]?.history.map(({ version }) => version),
    ["hello@1", "hello@2"],
  );
  registry.applyDirect(by("hello", { cause: "unpin", latest: "hello@2", releases: ["latest"] }));
  assert.deepEqual([registry.functionByName("hello")?.state, registry.holds(record.id)], ["ready", []]);
});

test("an expired hold holds nothing, whoever has not taken it away yet", (t) => {
  const { registry, clock } = newRegistry(t);
  push(registry, "a", { hello: "1" });
  const hold = pin("hello@1", { expiresAt: clock.now + 10 });
  registry.applyDirect(by("hello", { cause: "pin", latest: "hello@1", holds: [hold] }));
  const { id } = registry.functionByName("hello")!;
  assert.deepEqual(registry.expiredHolds(), { expired: [], next: clock.now + 10 });
  clock.now += 10;
  assert.deepEqual([registry.hold(id, "latest"), registry.latestHolds().size], [undefined, 0]);
  assert.deepEqual(registry.expiredHolds().expired, [{ functionId: id, alias: "latest" }]);
  push(registry, "b", { hello: "2" });
  assert.deepEqual(
    [registry.functionByName("hello")?.latest, registry.functionByName("hello")?.state],
    ["hello@2", "ready"],
  );
});

test("what is quarantined stays so under a hold, and what fails says so under a pin", (t) => {
  const { registry } = newRegistry(t);
  push(registry, "a", { hello: "1" });
  registry.applyDirect(by("hello", { cause: "pin", latest: "hello@1", holds: [pin("hello@1")] }));
  registry.setFunctionState("hello", "quarantined", { code: "ERR_RUNTIME", message: "it hangs" });
  push(registry, "b", { hello: "2" });
  assert.deepEqual(
    [registry.functionByName("hello")?.state, registry.functionByName("hello")?.error?.message],
    ["quarantined", "it hangs"],
  );
  const error = { code: "ERR_LOAD" as const, message: "no" };
  registry.setFunctionState("hello", "ready");
  push(registry, "c", {}, { functions: [change("hello", undefined, { state: "failed", error })] });
  registry.applyDirect(by("hello", { cause: "pin", latest: "hello@2", holds: [pin("hello@2")] }));
  assert.deepEqual(
    [registry.functionByName("hello")?.state, registry.functionByName("hello")?.latest],
    ["failed", "hello@2"],
  );
  push(registry, "d", { hello: "3" });
  assert.deepEqual(
    [registry.functionByName("hello")?.state, registry.functionByName("hello")?.error],
    ["pinned", undefined],
  );
});

test("what a hold, a division or git's last word refers to is not forgotten", (t) => {
  const { registry, clock } = newRegistry(t);
  for (const label of ["1", "2", "3", "4"]) push(registry, label, { hello: label });
  upload(registry, "parted", "1", { latest: "parted@1" });
  upload(registry, "parted", "2");
  upload(registry, "parted", "3");
  const split = ["parted@1", "parted@2"].map((version) => ({ version, percentage: 50 }));
  registry.applyDirect(by("parted", { latest: "parted@1", split }));
  registry.applyDirect(by("hello", { latest: "hello@1", holds: [{ ...pin("hello@2"), alias: "other" }] }));
  clock.now += 100 * DAY;
  const { versions } = registry.removeExpired(clock.now, DAY);
  assert.deepEqual(versions, ["parted@3"]);
  assert.equal(registry.functionByName("hello")?.declared, "hello@4");
});

test("whatever pushes, pins and releases come, a held version serves, and after its release what git gave last", (t) => {
  const { registry } = newRegistry(t);
  push(registry, "0", { hello: "0" });
  let count = 0;
  let given = "hello@0";
  let held: string | undefined;
  const step = fc.constantFrom("push", "revert", "pin", "rollback", "release", "sync");
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
      for (const kind of steps) {
        const record = registry.functionByName("hello")!;
        const hold = registry.hold(record.id, "latest");
        if (kind === "push" || kind === "revert" || kind === "sync") {
          const label =
            kind === "push" ? String(++count) : kind === "revert" ? String(Math.max(0, count - 1)) : given.slice(6);
          push(registry, `c${Math.random()}`, { hello: label });
          given = `hello@${label}`;
          if (hold?.kind === "rollback" && hold.rejected !== given) held = undefined;
        } else if (kind === "release") {
          if (held === undefined) continue;
          registry.applyDirect(by("hello", { cause: "unpin", latest: record.declared!, releases: ["latest"] }));
          held = undefined;
        } else {
          held = `hello@${Math.max(0, count - 2)}`;
          const rejected = kind === "rollback" ? { kind, rejected: record.declared! } : {};
          registry.applyDirect(by("hello", { cause: kind, latest: held, holds: [{ ...pin(held), ...rejected }] }));
        }
        const after = registry.functionByName("hello")!;
        assert.equal(after.latest, held ?? given, `after ${steps.join(", ")}`);
        assert.equal(after.declared, given);
        assert.equal(after.state === "ready", held === undefined);
      }
    }),
    { numRuns: runs(150) },
  );
});

test("B7b a restored function has its custom hosts again, but those that somebody took meanwhile", (t) => {
  const { registry } = newRegistry(t);
  const hosts = { route: ["a.example.com"], domain: ["b.example.com"] };
  upload(registry, "shop", "1", { latest: "shop@1", hosts });
  push(registry, null, {}, { functions: [change("shop", undefined, { source: null, state: "removed" })] });
  assert.deepEqual(registry.removedFunctions()[0]?.hosts, {});
  upload(registry, "other", "1", { latest: "other@1", hosts: { route: ["b.example.com"] } });
  registry.restoreFunction("shop", "ann");
  assert.deepEqual(Object.keys(registry.functionByName("shop")!.hosts), ["a.example.com"]);
  assert.deepEqual(Object.keys(registry.functionByName("other")!.hosts), ["b.example.com"]);
});
