// The checker in a real workerd: what loads, and what is said about what does not.
import assert from "node:assert/strict";
import { test } from "node:test";
import { startChecker } from "./testing/workerd.js";

test("names the entry points of what loads, and leaves out other exports", async (t) => {
  const checker = await startChecker(t);
  const cases: [string, string[]][] = [
    [`export default { fetch() {} }`, ["default"]],
    [
      `import { WorkerEntrypoint } from "cloudflare:workers"; export default class extends WorkerEntrypoint {}`,
      ["default"],
    ],
    [
      `import { WorkerEntrypoint, DurableObject, WorkflowEntrypoint } from "cloudflare:workers";
       export class Rpc extends WorkerEntrypoint {} export class Room extends DurableObject {} export class Flow extends WorkflowEntrypoint {}
       export const other = { fetch() {} }, config = { a: 1 }, number = 3, nothing = null; export function helper() {}
       export default { fetch() {} };`,
      ["Rpc", "default", "other"],
    ],
    [`export const only = { fetch() {} };`, ["only"]],
    [`export default { scheduled() {} };`, ["default"]],
  ];
  for (const [source, entrypoints] of cases) {
    const result = await checker.check(source);
    assert.deepEqual(result.ok ? result.entrypoints.sort() : result, entrypoints.sort());
  }
});

test("tells why a version does not load, with the place in its own modules", async (t) => {
  const checker = await startChecker(t);
  const cases: [string, RegExp][] = [
    [`export default { fetch( { }`, /SyntaxError[\s\S]*index\.js:1/],
    [`const x = undefined;\n  x.y; export default {};`, /TypeError[\s\S]*index\.js:2:5/],
    [`import "./nope.js"; export default {};`, /nope\.js/],
    [`throw 17;`, /17/],
    [`addEventListener("fetch", () => {});`, /no default export|index\.js/],
    [`export const a = 1;`, /no default export/],
    [`export default 7;`, /default export is of the type number/],
    [`export default { fetch: 1 };`, /object without a handler/],
    [`export default function () {}`, /default export is a function/],
    [
      `import { DurableObject } from "cloudflare:workers"; export default class extends DurableObject {}`,
      /class of objects/,
    ],
    [`await fetch("http://127.0.0.1/"); export default {};`, /global scope/],
    [`await new Promise(() => {}); export default { fetch() {} };`, /./],
  ];
  for (const [source, message] of cases) {
    const result = await checker.check(source);
    assert.equal(result.ok, false, source);
    assert.match(result.ok ? "" : result.message, message);
  }
});

test("refuses compatibility dates and flags that do not exist or are experimental", async (t) => {
  const checker = await startChecker(t);
  const source = `export default { fetch() {} };`;
  const wrong = [
    { compatibilityDate: "2999-01-01" },
    { compatibilityDate: "yesterday" },
    { compatibilityFlags: ["no_such_flag"] },
    { compatibilityFlags: ["experimental"] },
  ];
  for (const settings of wrong) {
    const result = await checker.check(source, settings);
    assert.equal(result.ok, false, JSON.stringify(settings));
    assert.match(result.ok ? "" : result.message, /ompatibility|experimental/);
  }
  assert.equal((await checker.check(source, { compatibilityFlags: ["nodejs_compat"] })).ok, true);
});

test("bytes that are no artifact, or use a reserved name, are refused", async (t) => {
  const checker = await startChecker(t);
  for (const bytes of [
    new Uint8Array(),
    Buffer.from("WRK1\0\0\xff\xff{}", "latin1"),
    Buffer.from("nonsense of some length"),
  ]) {
    assert.equal((await checker.check(new Uint8Array(bytes))).ok, false);
  }
  const result = await checker.check({ "index.js": "export default { fetch() {} };", "__wrkst_entry.js": "" });
  assert.match(result.ok ? "" : result.message, /reserved/);
});

test("the module scope sees the vars, and has no network", async (t) => {
  const checker = await startChecker(t);
  const source = `import { env } from "cloudflare:workers"; if (env.NEEDED.a !== 1) throw new Error("var is missing"); export default { fetch() {} };`;
  assert.equal((await checker.check(source, { vars: { NEEDED: { a: 1 } } })).ok, true);
  assert.match(JSON.stringify(await checker.check(source)), /Cannot read/);
});

test("databases are there as bindings of workerd's class, and whoever asks one at the top level is told that there is none", async (t) => {
  const checker = await startChecker(t);
  const fine = `import { env } from "cloudflare:workers";
  if (env.DB.constructor.name !== "D1Database" || env.DB.constructor !== env.D1.constructor) throw new Error("another class");
  if (Object.keys(env).join() !== "A,D1,DB") throw new Error(Object.keys(env).join());
  const statement = env.DB.prepare("SELECT ?").bind(1);
  export default { fetch() {} };`;
  const settings = { vars: { A: 1 }, databases: ["D1", "DB"] };
  assert.deepEqual((await checker.check(fine, settings)).ok, true);
  const asking = [
    `await env.DB.prepare("SELECT 1").first();`,
    `await env.D1.batch([env.D1.prepare("SELECT 1")]);`,
    `await env.D1.exec("SELECT 1");`,
    `await env.D1.withSession("first-primary").prepare("SELECT 1").all();`,
  ];
  for (const line of asking) {
    const source = `import { env } from "cloudflare:workers";\n${line}\nexport default { fetch() {} };`;
    const result = await checker.check(source, settings);
    assert.equal(result.ok, false);
    assert.match(result.ok ? "" : result.message, /D1_ERROR: there is no database[\s\S]*index\.js:2:/);
    assert.match(result.ok ? "" : (result.hint ?? ""), /first request/);
  }
});
