import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { openSqlite } from "../sqlite.js";
import { openDatabase } from "./database.js";
import { createFunctions } from "./functions.js";
import { openRegistry } from "./registry.js";
import { newFile, newRegistry, push } from "./test-registry.js";

test("a registry is a WAL file that is synced at every commit", (t) => {
  const { file } = newRegistry(t);
  const db = openSqlite(file, { readonly: true });
  assert.equal(db.pragma("journal_mode", { simple: true }), "wal");
  db.close();
});

test("what was written is there after the registry was closed and opened again", (t) => {
  const { registry, file } = newRegistry(t);
  push(registry, "a", { hello: "1" });
  registry.close();
  registry.close();
  const again = openRegistry(file);
  t.after(() => again.close());
  assert.equal(again.functionByName("hello")?.latest, "hello@1");
  assert.equal(again.lastRevision("default")?.seq, 1);
});

test("functions read inside a transaction that is taken back are as before it", (t) => {
  const { registry, file } = newRegistry(t);
  push(registry, "a", { hello: "1" });
  registry.close();
  const db = openDatabase(file);
  t.after(() => db.close());
  const { functions, save, owner } = createFunctions(db, Date.now);
  const before = functions();
  const attempt = db.transaction(() => {
    save({ ...owner("hello")!, state: "failed" });
    assert.equal(functions()[0]?.state, "failed");
    throw new Error("taken back");
  });
  assert.throws(attempt, /taken back/);
  assert.deepEqual(functions(), before);
});

test("a switch that returned survives the killing of the process", async (t) => {
  const file = newFile(t);
  const helper = JSON.stringify(new URL("./test-registry.js", import.meta.url).href);
  const front = JSON.stringify(new URL("./registry.js", import.meta.url).href);
  const script = `
    import { openRegistry } from ${front};
    import { push } from ${helper};
    const registry = openRegistry(process.argv[1]);
    for (let n = 1; ; n++) {
      push(registry, n.toString(16).padStart(8, "a"), { hello: String(n), ["f" + n]: "1" });
      process.stdout.write(n + "\\n");
    }`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script, file], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let told = "";
  child.stdout.on("data", (chunk) => (told += chunk));
  const closed = once(child, "close");
  while (!told.includes("\n20\n") && child.exitCode === null) await Promise.race([once(child.stdout, "data"), closed]);
  child.kill("SIGKILL");
  await closed;
  const acknowledged = Number(told.trimEnd().split("\n").at(-1));
  const registry = openRegistry(file);
  t.after(() => registry.close());
  const kept = Number(registry.functionByName("hello")?.latest?.split("@")[1]);
  assert.ok(kept >= acknowledged && kept <= acknowledged + 1, `acknowledged ${acknowledged}, kept ${kept}`);
  assert.equal(registry.functions().length, kept + 1);
  assert.equal(registry.routeGeneration(), kept);
});

test("a file that is no database is reported with a hint and left as it is", (t) => {
  const file = newFile(t);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, "this is no database, and long enough to be looked at ".repeat(100));
  assert.throws(
    () => openRegistry(file),
    (error: { code: string; hint: string }) => error.code === "ERR_STORE" && !!error.hint,
  );
  assert.match(readFileSync(file, "utf8"), /^this is no database/);
});

test("a damaged file is found at the next start after a crash, reported, and left as it is", (t) => {
  const file = newFile(t);
  const registry = openRegistry(file);
  for (let n = 0; n < 50; n++) push(registry, `${n}`.padStart(4, "a"), { [`f${n}`]: "1" });
  registry.close();
  const db = openSqlite(file);
  db.exec("DELETE FROM settings WHERE key = 'store.closed-cleanly'");
  db.close();
  const { size } = statSync(file);
  const bytes = readFileSync(file);
  bytes.fill(0xff, 4096 * 3, Math.min(size, 4096 * 12));
  writeFileSync(file, bytes);
  assert.throws(() => openRegistry(file), { code: "ERR_STORE" });
  assert.deepEqual(readFileSync(file), bytes);
});

test("a file that was cut off is reported", (t) => {
  const file = newFile(t);
  const registry = openRegistry(file);
  for (let n = 0; n < 50; n++) push(registry, `${n}`.padStart(4, "a"), { [`f${n}`]: "1" });
  registry.close();
  truncateSync(file, 4096 * 4);
  const db = () => openRegistry(file).functions();
  assert.throws(db, { code: "ERR_STORE" });
});

test("a file of a newer program is refused", (t) => {
  const { registry, file } = newRegistry(t);
  registry.close();
  const db = openSqlite(file);
  db.pragma("user_version = 999");
  db.close();
  assert.throws(() => openRegistry(file), { code: "ERR_STORE" });
  assert.ok(existsSync(file));
});

test("a folder that cannot be made is a clear error", (t) => {
  const file = newFile(t);
  writeFileSync(file, "");
  assert.throws(() => openRegistry(join(file, "registry.sqlite")), { code: "ERR_STORE" });
});
