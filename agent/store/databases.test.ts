import assert from "node:assert/strict";
import { test } from "node:test";
import type { Actor, D1Binding } from "../model.js";
import type { BindingsWanted } from "./database-bindings.js";
import { openRegistry, type Registry } from "./registry.js";
import { change, manifestOf, newRegistry, push, version } from "./test-registry.js";

const ANN: Actor = { name: "ann", email: null, credential: "api-token:1", address: "127.0.0.1" };

function wanted(registry: Registry, name: string, declared: D1Binding[], more: Partial<BindingsWanted> = {}) {
  const id = registry.databases.functionId(more.function?.account ?? "main", name);
  const function_ = { id, account: "main", name };
  return { function: function_, version: `${name}@1`, declared, share: [], isStrict: false, ...more };
}

/** Resolves one version; answers the names of what was made, or the code of the error. */
function resolve(...args: Parameters<typeof wanted>): string[] | string {
  const [found] = args[0].databases.resolve([wanted(...args)]);
  return "error" in found! ? found.error.code : found!.created.map(({ name }) => name);
}

function bound(registry: Registry, name: string, binding: string, label = "1"): string | undefined {
  const id = registry.databases.functionId("main", name);
  return registry.databases.boundTo(id, `${name}@${label}`)[binding]?.id;
}

const shop: D1Binding = { binding: "DB", databaseName: "shop" };

test("every function has a database of its own from its first switch on, over all of its versions", (t) => {
  const { registry } = newRegistry(t);
  push(registry, "a", { hello: "1" });
  const own = registry.databases.byName("main", "hello-d1");
  push(registry, "b", { hello: "2" });
  assert.deepEqual([own?.isDeclared, own?.owner], [false, registry.functionByName("hello")?.id]);
  assert.deepEqual([bound(registry, "hello", "D1"), bound(registry, "hello", "D1", "2")], [own?.id, own?.id]);
  assert.equal(registry.routeState().functions[0]?.database?.id, own?.id);
});

test("what is made for a function before its switch is its own afterwards", (t) => {
  const { registry } = newRegistry(t);
  assert.deepEqual(resolve(registry, "hello", [shop]), ["shop"]);
  push(registry, "a", { hello: "1" });
  assert.equal(registry.databases.byName("main", "shop")?.owner, registry.functionByName("hello")?.id);
  assert.deepEqual(resolve(registry, "hello", [shop], { version: "hello@2" }), [], "it is found the next time");
});

test("what was made for a function that a newer revision does not declare is removed with that switch", (t) => {
  const { registry } = newRegistry(t);
  resolve(registry, "ghost", [shop]);
  push(registry, "b", { hello: "1" });
  assert.equal(registry.databases.byName("main", "shop"), undefined);
  assert.deepEqual(resolve(registry, "other", [shop]), ["shop"]);
});

test("a binding stays with its database though its name or id would lead elsewhere, until that is gone", (t) => {
  const { registry } = newRegistry(t);
  resolve(registry, "hello", [shop]);
  push(registry, "a", { hello: "1" });
  const first = bound(registry, "hello", "DB")!;
  const other = registry.databases.create({ account: "main", name: "other", owner: null });
  assert.deepEqual(resolve(registry, "hello", [{ ...shop, databaseId: other.id }]), []);
  assert.equal(bound(registry, "hello", "DB"), first);
  registry.databases.remove(first);
  assert.equal(registry.routeState().functions[0]?.versions[0]?.databases.DB, undefined, "nothing was declared there");
  assert.deepEqual(resolve(registry, "hello", [shop]), ["shop"]);
  assert.notEqual(bound(registry, "hello", "DB"), first);
});

test("B7 ids of other accounts and of removed databases are unknown; where a client gave one, it is refused", (t) => {
  const { registry } = newRegistry(t);
  const foreign = registry.databases.create({ account: "bob", name: "shop", owner: null });
  const removed = registry.databases.create({ account: "main", name: "old", owner: null });
  registry.databases.remove(removed.id);
  for (const { id } of [foreign, removed]) {
    const byId = { binding: "DB", databaseId: id };
    assert.equal(resolve(registry, "hello", [byId], { isStrict: true }), "ERR_DATABASE_NOT_FOUND");
  }
  assert.deepEqual(resolve(registry, "hello", [{ ...shop, databaseId: foreign.id }]), ["shop"]);
  assert.notEqual(bound(registry, "hello", "DB"), foreign.id);
});

test("what was made for one binding is not kept where another one of the version fails", (t) => {
  const { registry } = newRegistry(t);
  resolve(registry, "owner", [shop]);
  push(registry, "a", { owner: "1", hello: "1" });
  assert.equal(resolve(registry, "hello", [{ binding: "A", databaseName: "new" }, shop]), "ERR_CONFLICT");
  assert.equal(registry.databases.byName("main", "new"), undefined);
});

test("B7 a database is used by others by its owner's word or an operator's, and no longer than that", (t) => {
  const { registry } = newRegistry(t);
  const given = { ...shop, databaseName: "given" };
  resolve(registry, "owner", [shop, { ...given, binding: "GIVEN" }]);
  push(registry, "a", { owner: "1", hello: "1" });
  const { id } = registry.databases.byName("main", "given")!;
  const hello = registry.functionByName("hello")!.id;
  assert.equal(resolve(registry, "hello", [shop]), "ERR_CONFLICT");
  registry.databases.share(id, hello, ANN);
  const both = [shop, { ...given, binding: "GIVEN" }];
  const manifest = manifestOf("owner", { share: ["hello"] });
  const next = { functions: [change("owner", "2")], versions: [version("owner", "2", { manifest })] };
  push(registry, "b", {}, next);
  assert.deepEqual(resolve(registry, "hello", both, { version: "hello@2" }), []);
  const using = version("hello", "2", { manifest: manifestOf("hello", { d1Databases: both }) });
  push(registry, "c", {}, { functions: [change("hello", "2")], versions: [using] });
  const open = () => {
    const routed = registry.routeState().functions.find(({ name }) => name === "hello")!;
    const serving = routed.versions.find((one) => one.id === "hello@2")!;
    return [serving.databases.DB?.isOpen, serving.databases.GIVEN?.isOpen];
  };
  assert.deepEqual(open(), [true, true]);
  push(registry, "d", { owner: "1" });
  assert.deepEqual(open(), [false, true]);
  registry.databases.unshare(id, hello);
  assert.deepEqual(open(), [false, false]);
  assert.deepEqual(registry.databases.uses(id), [
    { function: "hello", bindings: ["GIVEN"], isOwner: false },
    { function: "owner", bindings: ["GIVEN"], isOwner: true },
  ]);
});

test("of functions of one push that declare one name, the one that shares it owns it", (t) => {
  const { registry } = newRegistry(t);
  const user = wanted(registry, "a-user", [shop]);
  const owner = wanted(registry, "owner", [shop], { share: ["a-user"] });
  const found = registry.databases.resolve([user, owner]);
  assert.deepEqual(
    found.map((one) => ("created" in one ? one.created.length : one.error.code)),
    [0, 1],
  );
});

test("B7a databases go with their function and come back with it, under another name where theirs was taken", (t) => {
  const { registry } = newRegistry(t);
  resolve(registry, "hello", [shop]);
  push(registry, "a", { hello: "1" });
  const { id } = registry.databases.byName("main", "shop")!;
  push(registry, "b", { hello: null });
  assert.equal(registry.databases.byName("main", "shop"), undefined);
  registry.databases.create({ account: "main", name: "shop", owner: null });
  assert.throws(() => registry.databases.restore(id), { code: "ERR_CONFLICT" });
  registry.restoreFunction("hello", "ann");
  assert.deepEqual([registry.databases.byId(id)?.removedAt, registry.databases.byId(id)?.name], [null, "shop-2"]);
  assert.equal(bound(registry, "hello", "DB"), id);
});

test("an epoch only rises, and routes follow", (t) => {
  const { registry } = newRegistry(t);
  push(registry, "a", { hello: "1" });
  const { id } = registry.databases.byName("main", "hello-d1")!;
  const { generation } = registry.routeState();
  registry.databases.raiseEpoch(id, 3);
  const after = registry.routeState();
  assert.deepEqual([after.functions[0]?.database?.epoch, after.generation > generation], [3, true]);
  assert.throws(() => registry.databases.raiseEpoch(id, 2), TypeError);
});

test("the event of a database bears account and function, also of a function that has yet to be made", (t) => {
  const { registry } = newRegistry(t);
  resolve(registry, "hello", [shop]);
  push(registry, "a", { hello: "1" });
  const { id: functionId } = registry.functionByName("hello")!;
  registry.addEvent({ kind: "database.changed", account: "main", functionId, message: "m" });
  const events = registry.events({ kinds: ["database.created", "database.changed"], functionId, limit: 10 });
  assert.deepEqual(
    events.map((event) => [event.account, event.function]),
    [
      ["main", "hello"],
      ["main", "hello"],
    ],
  );
});

/** A version of the function that is bound to databases by these names, and serves. */
function deploy(registry: Registry, name: string, label: string, names: string[], share: string[] = []): void {
  const d1Databases = names.map((databaseName) => ({ binding: databaseName.toUpperCase(), databaseName }));
  const manifest = manifestOf(name, { d1Databases, ...(share.length ? { share } : {}) });
  resolve(registry, name, d1Databases, { version: `${name}@${label}`, share });
  push(registry, label, {}, { functions: [change(name, label)], versions: [version(name, label, { manifest })] });
}

test("B7 routes after every kind of change of databases, shares and bindings are those of a registry opened afresh", (t) => {
  const { registry, file } = newRegistry(t);
  const { databases } = registry;
  const idOf = (name: string) => databases.byName("main", name)!.id;
  const functionId = () => registry.functionByName("user")!.id;
  // Of few functions all are read again, whatever changed.
  push(registry, "f", Object.fromEntries(Array.from({ length: 20 }, (_, index) => [`other-${index}`, "1"])));
  let id = "";
  const changes: Record<string, () => void> = {
    "an owner that shares": () => deploy(registry, "owner", "a1", ["shop"], ["user"]),
    "a user of what is shared": () => deploy(registry, "user", "a2", ["shop", "log"]),
    "the share is taken back": () => deploy(registry, "owner", "a3", ["shop"]),
    "an operator shares it": () => databases.share(idOf("shop"), functionId(), ANN),
    "the operator takes that back": () => databases.unshare(idOf("shop"), functionId()),
    "another epoch": () => databases.raiseEpoch(idOf("shop"), 2),
    "a database is removed": () => {
      id = idOf("shop");
      databases.remove(id);
    },
    "it is brought back": () => databases.restore(id),
    "a database is forgotten": () => {
      id = idOf("log");
      databases.remove(id);
      databases.forget(id);
    },
    "the version is bound to another one": () => {
      databases.create({ account: "main", name: "log", owner: null });
      resolve(registry, "user", [{ binding: "LOG", databaseName: "log" }], { version: "user@a2" });
    },
    "the owner goes, and its databases": () => push(registry, "a4", { owner: null }),
    "the owner comes back": () => registry.restoreFunction("owner", "ann"),
  };
  registry.routeState();
  for (const [what, make] of Object.entries(changes)) {
    const before = registry.routeState().functions;
    make();
    const kept = registry.routeState();
    assert.notDeepEqual(kept.functions, before, what);
    const fresh = openRegistry(file);
    assert.deepEqual(kept, fresh.routeState(), what);
    fresh.close();
  }
});

test("the event of a database that a person's upload brought has that person as its actor", (t) => {
  const { registry } = newRegistry(t);
  assert.deepEqual(resolve(registry, "hello", [shop], { by: ANN }), ["shop"]);
  assert.deepEqual(registry.events({ kinds: ["database.created"], limit: 1 })[0]?.actor, ANN);
});
