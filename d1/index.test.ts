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

test("says that the form with a host name comes later, and never the string, which may be a secret", () => {
  const { code, hint, message } = failureOf({ TOKEN: "s3cret" }, "TOKEN");
  assert.equal(code, "ERR_D1_BINDING_INVALID");
  assert.match(hint, /host name .* comes with the release/);
  assert.doesNotMatch(message, /s3cret/);
});

for (const env of [undefined, null, "env"]) {
  test(`refuses ${env === "env" ? "a string" : env} in place of an env`, () => {
    assert.throws(() => getD1(env as unknown as object), TypeError);
  });
}
