// A database behind a host name, against the native binding of the same server: in workerd, case by case, and from Node.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { resolve } from "node:path";
import { after, test } from "node:test";
import { build } from "esbuild";
import { startBundledD1 } from "./testing/bundled-d1.js";

const library = resolve("d1/index.js");
const { getD1 } = (await import(library)) as typeof import("./index.js");

const { outputFiles } = await build({
  ...{ entryPoints: ["d1/testdata/sides.ts"], bundle: true, format: "esm", target: "es2023", write: false },
  ...{ alias: { "wrkst-d1": library }, logLevel: "silent" },
});
const server = await startBundledD1({
  modules: { "function.js": outputFiles[0]?.text ?? "" },
  databases: { NATIVE: "native" },
});
after(() => server.stop());
const host = `127.0.0.1:${server.databasePort}`;

async function ask(path: string, side = ""): Promise<unknown> {
  return (await fetch(`http://127.0.0.1:${server.functionPort}/${encodeURIComponent(path)}?host=${side}`)).json();
}

for (const name of (await ask("")) as string[]) {
  test(`answers as the native binding does: ${name}`, async () => {
    assert.deepEqual(await ask(name, host), await ask(name));
  });
}

for (const scheme of ["", "http://"]) {
  test(`works from Node with "${scheme}host:port"`, async () => {
    const db = getD1({ D1: `${scheme}${host}` });
    assert.equal(await db.prepare("SELECT ? || 'b' AS ab").bind("a").first("ab"), "ab");
  });
}

test("says that a host does not answer, with the failure as the cause", async () => {
  const closed = createServer().listen(0, "127.0.0.1");
  await once(closed, "listening");
  const { port } = closed.address() as AddressInfo;
  closed.close();
  await once(closed, "close");
  const asked = getD1({ D1: `localhost:${port}` })
    .prepare("SELECT 1")
    .first();
  await assert.rejects(asked, (error: Error) => error.message.startsWith("D1_ERROR: ") && error.cause instanceof Error);
});

for (const [what, body, message] of [
  ["something else than JSON", "<html>", "D1_ERROR: Failed to parse body as JSON, got: <html>"],
  ["no object", "null", "D1_ERROR: Failed to parse body as JSON, got: null"],
  ["no result", "[]", "D1_ERROR: the database answered without a result"],
  [
    "a failure among results",
    '[{"success":true,"meta":{}},{"success":false,"error":"no: SQLITE_FULL"}]',
    "D1_ERROR: no: SQLITE_FULL",
  ],
] as const) {
  test(`refuses a host that answers ${what}`, async (t) => {
    const other = createServer((_, response) => void response.end(body)).listen(0, "127.0.0.1");
    t.after(() => other.close());
    await once(other, "listening");
    const db = getD1({ D1: `127.0.0.1:${(other.address() as AddressInfo).port}` });
    await assert.rejects(db.prepare("SELECT 1").all(), { message });
  });
}

test("reads rows that arrive as objects", async (t) => {
  const body = JSON.stringify({ success: true, meta: { duration: 1 }, results: [{ a: 1, b: 2 }] });
  const other = createServer((_, response) => void response.end(body)).listen(0, "127.0.0.1");
  t.after(() => other.close());
  await once(other, "listening");
  const query = getD1({ D1: `127.0.0.1:${(other.address() as AddressInfo).port}` }).prepare("SELECT 1");
  assert.deepEqual(await query.all(), { success: true, meta: { duration: 1 }, results: [{ a: 1, b: 2 }] });
  assert.deepEqual(await query.raw({ columnNames: true }), [
    ["a", "b"],
    [1, 2],
  ]);
});
