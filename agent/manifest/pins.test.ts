import assert from "node:assert/strict";
import { test } from "node:test";
import { formatPosition, WrkstError } from "../errors.js";
import { parseDocument } from "./document.js";
import { readManifest } from "./manifest.js";

const BASE = 'name = "api"\nmain = "index.ts"\ncompatibility_date = "2026-11-01"\n';

const read = (text: string, file = "api/wrangler.toml", environment?: string) =>
  readManifest(parseDocument({ text, file }), environment);

function pinsOf(...args: Parameters<typeof read>): string[] {
  return read(...args).pins.map(({ alias, ref, position }) => `${alias} ${ref} ${formatPosition(position)}`);
}

test("pins are read from each kind of file, by alias, with their places, and are no part of the manifest", () => {
  const toml = `${BASE}[wrkst]\npin = { latest = "v1.2.0", canary = "3f2a9c1" }\n`;
  assert.deepEqual(pinsOf(toml), ["canary 3f2a9c1 api/wrangler.toml:5:28", "latest v1.2.0 api/wrangler.toml:5:9"]);
  assert.deepEqual(pinsOf(`${BASE}[wrkst.pin]\nlatest = "releases/7"\n`), ["latest releases/7 api/wrangler.toml:5:1"]);
  const rest = '"name": "api", "main": "index.ts", "compatibility_date": "2026-11-01"';
  const jsonc = `{ ${rest},\n  "wrkst": { /* held */ "pin": { "latest": "v1" } } }`;
  assert.deepEqual(pinsOf(jsonc, "api/wrangler.jsonc"), ["latest v1 api/wrangler.jsonc:2:34"]);
  assert.deepEqual(read(toml).manifest, read(BASE).manifest);
  assert.deepEqual(pinsOf(BASE), []);
});

test("an environment's pins stand in place of those of the top level", () => {
  const text = `${BASE}[wrkst]\npin = { latest = "v1" }\n[env.live]\n[env.test.wrkst]\npin = {}\n`;
  assert.deepEqual(pinsOf(text, undefined, "live"), ["latest v1 api/wrangler.toml:5:9"]);
  assert.deepEqual(pinsOf(text, undefined, "test"), []);
});

for (const [what, pin, message] of [
  ["a name that no alias can have", '{ Canary = "v1" }', /to name an alias/],
  ["a name that looks like a commit", '{ deadbee = "v1" }', /to name an alias/],
  ["a branch by its full name", '{ latest = "refs/heads/main" }', /received the branch/],
  ["a full reference", '{ latest = "refs/tags/v1" }', /to be a tag or a commit/],
  ["what moves", '{ latest = "HEAD" }', /to be a tag or a commit/],
  ["an expression", '{ latest = "v1~2" }', /to be a tag or a commit/],
  ["an option", '{ latest = "--upload-pack=x" }', /to be a tag or a commit/],
  ["a path upwards", '{ latest = "a/../b" }', /to be a tag or a commit/],
  ["nothing", '{ latest = "" }', /to be a tag or a commit/],
  ["a number", "{ latest = 1234567 }", /to be a string/],
  ["a text alone", '"v1"', /to be a table/],
] as const) {
  test(`a pin is refused with its place: ${what}`, () => {
    assert.throws(
      () => read(`${BASE}[wrkst]\npin = ${pin}\n`),
      (error) => error instanceof WrkstError && message.test(error.message) && error.position?.line === 5,
    );
  });
}
