// Our reading beside that of the stock wrangler, which exports its own reader of configuration.
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, relative, resolve } from "node:path";
import { after, test } from "node:test";
import { unstable_readConfig as readConfig } from "wrangler";
import { WrkstError } from "../errors.js";
import type { Manifest } from "../model.js";
import { fc, runs } from "../test-properties.js";
import { parseManifest } from "./manifest.js";

const folder = mkdtempSync(join(tmpdir(), "wrkst-manifest-"));
after(() => rmSync(folder, { recursive: true }));

/** The same facts from both readers; paths relative to the file. */
function facts(manifest: Manifest) {
  const { name, main, vars, define, alias, minify, keepNames, preserveFileNames, compatibilityDate } = manifest;
  const { compatibilityFlags, d1Databases, hosts } = manifest;
  return {
    ...{ name, main, vars, define, alias, minify, keepNames, preserveFileNames, compatibilityDate, compatibilityFlags },
    noBundle: manifest.noBundle,
    d1: d1Databases.map(({ binding, databaseName }) => [binding, databaseName]),
    hosts,
    rules: manifest.rules.slice(0, -3).map(({ type, globs }) => [type, globs]),
  };
}

/** What is compared of wrangler's answer, whose own type is not published. */
interface WranglerConfig {
  name: string;
  main: string;
  vars: Record<string, unknown>;
  define: Record<string, string>;
  alias?: Record<string, string>;
  minify?: boolean;
  no_bundle?: boolean;
  keep_names?: boolean;
  preserve_file_names?: boolean;
  compatibility_date: string;
  compatibility_flags: string[];
  d1_databases: { binding: string; database_name?: string }[];
  route?: string;
  routes?: (string | { pattern: string })[];
  rules: { type: Manifest["rules"][number]["type"]; globs: string[] }[];
}

function wranglerFacts(path: string, environment: string | undefined): ReturnType<typeof facts> {
  const config: WranglerConfig = readConfig({ config: path, env: environment ?? "" }, { hideWarnings: true });
  const routes = config.routes ?? (config.route ? [config.route] : []);
  return {
    name: config.name,
    main: relative(folder, config.main),
    vars: config.vars,
    define: config.define,
    alias: config.alias ?? {},
    minify: (config.minify ?? false) && !config.no_bundle,
    keepNames: config.keep_names ?? true,
    preserveFileNames: config.preserve_file_names ?? false,
    compatibilityDate: config.compatibility_date,
    compatibilityFlags: config.compatibility_flags,
    noBundle: config.no_bundle ?? false,
    d1: config.d1_databases.map(({ binding, database_name }) => [binding, database_name]),
    hosts: routes.map((route) => (typeof route === "string" ? route : route.pattern).replace("/*", "")),
    rules: config.rules.map(({ type, globs }) => [type, globs]),
  };
}

function compare(name: string, text: string, environment: string | undefined): void {
  const path = join(folder, name);
  writeFileSync(path, text);
  const { manifest } = parseManifest({ text, file: path, environment });
  assert.deepEqual(facts(manifest), wranglerFacts(path, environment));
}

const TOML = `
name = "orders"
main = "./src/../src/index.ts"
compatibility_date = "2026-11-01"
compatibility_flags = ["nodejs_compat"]
minify = true
route = "orders.example.com/*"
alias = { "node-fetch" = "./fetch.ts" }
define = { "process.env.MODE" = "'x'" }
[vars]
TEXT = "text"
JSON = { a = [1, { b = true }] }
[[rules]]
type = "Text"
globs = ["**/*.md"]
fallthrough = true
[[d1_databases]]
binding = "DB"
database_name = "orders"
[env.production]
vars = { TEXT = "production" }
routes = [{ pattern = "orders.example.org", custom_domain = true }]
[env.staging]
name = "orders-at-staging"
minify = false
compatibility_flags = []
`;

for (const environment of [undefined, "production", "staging"]) {
  test(`reads a whole file as wrangler does, environment ${environment}`, () => {
    compare("whole.toml", TOML, environment);
  });
}

const without = TOML.slice(0, TOML.indexOf("[env."));
test("reads an environment for a file without any as wrangler does", () => {
  compare("without.toml", without, "production");
});

test("refuses an environment that is not declared as wrangler does", () => {
  const path = join(folder, "undeclared.toml");
  writeFileSync(path, TOML);
  assert.throws(() => parseManifest({ text: TOML, file: path, environment: "other" }), { code: "ERR_MANIFEST" });
  assert.throws(() => readConfig({ config: path, env: "other" }, { hideWarnings: true }));
});

const settings = {
  name: fc.constantFrom("a", "b-c"),
  main: fc.constantFrom("a.ts", "./src/b.ts"),
  compatibility_date: fc.constantFrom("2026-11-01", "2025-01-31"),
  compatibility_flags: fc.constantFrom([], ["nodejs_compat"]),
  minify: fc.boolean(),
  keep_names: fc.boolean(),
  no_bundle: fc.boolean(),
  preserve_file_names: fc.boolean(),
  route: fc.constantFrom("a.example/*", ""),
  routes: fc.constantFrom([], ["b.example/*", "c.example"], [{ pattern: "d.example", custom_domain: true }]),
  vars: fc.dictionary(fc.constantFrom("X", "Y"), fc.jsonValue({ maxDepth: 2 }), { maxKeys: 2 }),
  define: fc.dictionary(fc.constantFrom("X", "Y"), fc.constantFrom("1", "'a'"), { maxKeys: 2 }),
  rules: fc.constantFrom([], [{ type: "Text", globs: ["**/*.md"], fallthrough: true }]),
  d1_databases: fc.constantFrom([], [{ binding: "DB", database_name: "x" }]),
};

test("what both read, both read alike", () => {
  const section = fc.record(settings, { requiredKeys: [] });
  const file = fc.record(
    {
      ...settings,
      alias: fc.constantFrom({}, { a: "./b" }),
      env: fc.dictionary(fc.constantFrom("one", "two"), section),
    },
    { requiredKeys: ["name", "main", "compatibility_date"] },
  );
  let compared = 0;
  const property = fc.property(file, fc.constantFrom(undefined, "one", "two"), (value, environment) => {
    const text = JSON.stringify(value);
    try {
      parseManifest({ text, file: "x.json", environment });
    } catch (error) {
      assert.ok(error instanceof WrkstError);
      return;
    }
    compared++;
    compare("property.json", text, environment);
  });
  fc.assert(property, { numRuns: runs(300) });
  assert.ok(compared > runs(50), `only ${compared} files could be compared`);
});

test("every example is a function without warnings", () => {
  const examples = resolve("examples");
  const folders = readdirSync(examples, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  for (const { name } of folders) {
    if (name === "shared") continue;
    const path = join(examples, name, "wrangler.toml");
    const { manifest, warnings } = parseManifest({ text: readFileSync(path, "utf8"), file: path });
    assert.equal(manifest.name, basename(name));
    assert.deepEqual(warnings, []);
  }
});
