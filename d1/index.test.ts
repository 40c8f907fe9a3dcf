import assert from "node:assert/strict";
import { test } from "node:test";

const source = new URL("../../d1/index.js", import.meta.url).href;
const { D1BindingError, getD1 } = (await import(source)) as typeof import("./index.js");

const method = () => undefined;
const database = { prepare: method, batch: method, exec: method };
/** As the stub of a service: whatever one asks for is a method. */
const service = new Proxy({}, { get: () => method, has: () => true });

function failureOf(env: object, binding?: string): InstanceType<typeof D1BindingError> {
  try {
    getD1(env, binding);
  } catch (error) {
    if (error instanceof D1BindingError) return error;
    throw error;
  }
  throw new assert.AssertionError({ message: "expected a refusal" });
}

test("returns the binding itself, by default the one named D1", () => {
  assert.equal(getD1({ D1: database }), database);
  assert.equal(getD1({ D1: "", STORE: database }, "STORE"), database);
});

for (const [name, env] of [
  ["is not there", {}],
  ["is undefined", { D1: undefined }],
  ["is null", { D1: null }],
] as const) {
  test(`says how to declare a binding that ${name}`, () => {
    const { code, hint, message } = failureOf(env);
    assert.equal(code, "ERR_D1_BINDING_MISSING");
    assert.match(hint, /\[\[d1_databases\]\] with binding = "D1"/);
    assert.ok(message.endsWith(hint));
  });
}

test("names the database that is bound under another name", () => {
  assert.match(failureOf({ TITLE: "shop", STORE: database }).hint, /getD1\(env, "STORE"\)/);
});

for (const [name, value] of [
  ["a number", 1],
  ["a function", method],
  ["a JSON var", { prepare: "no" }],
  ["a KV namespace", { get: method, put: method, list: method }],
  ["a service, which seems to have every method", service],
] as const) {
  test(`refuses ${name}`, () => assert.equal(failureOf({ D1: value }).code, "ERR_D1_BINDING_INVALID"));
}

for (const host of [
  "d1.internal",
  "d1:8787",
  "localhost",
  "127.0.0.1:8787",
  "[::1]:80",
  "http://d1",
  "https://d1.example.com/",
]) {
  test(`makes a client of the host "${host}"`, () => {
    const db = getD1({ D1: host });
    assert.deepEqual([typeof db.prepare, typeof db.withSession, typeof db.dump], Array(3).fill("function"));
  });
}

for (const text of [
  "s3cret",
  "",
  "eyJhbGciOiJIUzI1NiJ9.e30.ZRrHA1",
  "postgres://u:p@db/x",
  "http://u:p@d1",
  "d1:8787/x",
  "d1:99999",
]) {
  test(`refuses "${text}", which names no host, and never says it, since it may be a secret`, () => {
    const { code, hint, message } = failureOf({ TOKEN: text }, "TOKEN");
    assert.equal(code, "ERR_D1_BINDING_INVALID");
    assert.match(hint, /\[\[d1_databases\]\]/);
    assert.ok(text === "" || !message.includes(text));
  });
}

for (const env of [undefined, null, "env"]) {
  test(`refuses ${env === "env" ? "a string" : env} in place of an env`, () => {
    assert.throws(() => getD1(env as unknown as object), TypeError);
  });
}
