// What is installed with the platform: the lock is whole on every platform it is meant for, and every licence is one
// that a server may be shipped with. Reads files only.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { join } from "node:path";
import test from "node:test";

interface LockedPackage {
  version?: string;
  license?: string;
  dev?: true;
  devOptional?: true;
  link?: true;
}

interface Gap {
  name: string;
  version: string;
}

const { packages }: { packages: Record<string, LockedPackage> } = JSON.parse(readFileSync("package-lock.json", "utf8"));
const completion = new URL("../../scripts/complete-lock.mjs", import.meta.url).href;
const { gapsOf } = (await import(completion)) as { gapsOf(locked: Record<string, unknown>): Gap[] };

const LICENCES = new Set([
  "0BSD",
  "Apache-2.0",
  "BSD-2-Clause",
  "BSD-3-Clause",
  "BlueOak-1.0.0",
  "ISC",
  "MIT",
  "Unlicense",
]);

/** Any choice of an "OR", every part of an "AND". */
function isAllowed(licence: string): boolean {
  const choices = licence.replace(/^\((.*)\)$/, "$1").split(" OR ");
  return choices.some((choice) => choice.split(" AND ").every((part) => LICENCES.has(part)));
}

test("the lock holds every optional package that it names, so that npm ci takes it on any platform", () => {
  const gaps = gapsOf(packages).map(({ name, version }) => `${name}@${version}`);
  assert.deepEqual(gaps, [], "run: node scripts/complete-lock.mjs");
});

test("the check of the lock sees a package that is missing and one of another version", () => {
  const wanting = { "node_modules/a": { optionalDependencies: { "a-linux-x64": "1.0.0", "a-darwin-x64": "1.0.0" } } };
  const gaps = gapsOf({ "": {}, ...wanting, "node_modules/a-linux-x64": { version: "0.9.0" } });
  assert.deepEqual(
    gaps.map(({ name }) => name),
    ["a-linux-x64", "a-darwin-x64"],
  );
});

for (const [name, parent] of [
  ["@cloudflare/workerd-linux-64", "workerd"],
  ["@cloudflare/workerd-linux-arm64", "workerd"],
  ["@esbuild/linux-x64", "esbuild"],
  ["@esbuild/linux-arm64", "esbuild"],
] as const) {
  test(`the lock holds "${name}" in the version of "${parent}", for production`, () => {
    const locked = packages[`node_modules/${name}`];
    assert.equal(locked?.version, packages[`node_modules/${parent}`]?.version);
    assert.ok(!locked?.dev);
  });
}

test("every production dependency has a licence on the list", () => {
  const installed = Object.entries(packages).filter(([path, entry]) => path && !entry.dev && !entry.link);
  assert.ok(installed.length > 100);
  const refused = installed.filter(([, { license }]) => !license || !isAllowed(license));
  assert.deepEqual(
    refused.map(([path, { license }]) => `${path}: ${license}`),
    [],
  );
});

/** Packages that the built program imports; tests and what only they use are in no image. */
function importsOf(folder: string): Map<string, string> {
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter(
    (file) =>
      file.endsWith(".ts") && !/(^|\/)testing[/.]|(^|[./])(test|fake|memory)[.-]|\.(test|d|worker)\.ts$/.test(file),
  );
  const found = new Map<string, string>();
  for (const file of files) {
    const text = readFileSync(join(folder, file), "utf8");
    for (const [, name = ""] of text.matchAll(
      /^(?:import|export) (?!type )(?:[^;"]*? from )?"(@[^"/]+\/[^"/]+|[^."/][^"/]*)/gm,
    )) {
      if (!builtinModules.includes(name) && !/^(node|cloudflare):/.test(name)) found.set(name, join(folder, file));
    }
  }
  return found;
}

test("what the program imports is installed in production", () => {
  const { dependencies }: { dependencies: Record<string, string> } = JSON.parse(readFileSync("package.json", "utf8"));
  const imports = [...importsOf("agent"), ...importsOf("runtime")];
  assert.ok(imports.length > 10);
  const missing = imports.filter(([name]) => !Object.hasOwn(dependencies, name));
  assert.deepEqual(
    missing.map(([name, file]) => `${file} imports ${name}`),
    [],
  );
});
