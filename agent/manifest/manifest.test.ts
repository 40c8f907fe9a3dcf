import assert from "node:assert/strict";
import { test } from "node:test";
import { formatPosition, WrkstError } from "../errors.js";
import { fc, runs } from "../test-properties.js";
import { parseManifest } from "./manifest.js";

const BASE = 'name = "hello"\nmain = "src/index.ts"\ncompatibility_date = "2026-11-01"\n';

function toml(text: string, environment?: string) {
  return parseManifest({ text, file: "hello/wrangler.toml", environment });
}

function json(value: unknown, environment?: string) {
  const text = typeof value === "string" ? value : JSON.stringify(value, null, 2);
  return parseManifest({ text, file: "hello/wrangler.jsonc", environment });
}

function errorOf(run: () => unknown): WrkstError {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof WrkstError, String(error));
    return error;
  }
  assert.fail("expected an error, received none");
}

test("a small file has wrangler's defaults", () => {
  assert.deepEqual(toml(BASE), {
    manifest: {
      name: "hello",
      main: "src/index.ts",
      baseDir: "src",
      rules: [
        { type: "Text", globs: ["**/*.txt", "**/*.html", "**/*.sql"], fallthrough: false },
        { type: "Data", globs: ["**/*.bin"], fallthrough: false },
        { type: "CompiledWasm", globs: ["**/*.wasm", "**/*.wasm?module"], fallthrough: false },
      ],
      alias: {},
      define: {},
      noBundle: false,
      findAdditionalModules: false,
      minify: false,
      keepNames: true,
      preserveFileNames: false,
      compatibilityDate: "2026-11-01",
      compatibilityFlags: [],
      vars: {},
      d1Databases: [],
      hosts: [],
      workersDev: true,
      previewUrls: true,
      observability: false,
      egress: "public",
      preview: true,
    },
    warnings: [],
  });
});

test("two databases with one folder of migrations are refused with the places of both", () => {
  const entry = (binding: string, folder: string) =>
    `[[d1_databases]]\nbinding = "${binding}"\nmigrations_dir = "${folder}"\n`;
  const text = `${BASE}${entry("A", "sql")}${entry("B", "other")}${entry("C", "./sql/")}`;
  const error = errorOf(() => toml(text));
  assert.equal(formatPosition(error.position!), "hello/wrangler.toml:12:1");
  assert.match(error.message, /"C".*"A" in line 6/);
  assert.ok(error.hint);
  assert.equal(toml(`${BASE}${entry("A", "sql")}${entry("B", "sql/b")}`).manifest.d1Databases.length, 2);
});

test("whom a function shares its databases with is said by the environment, or else for all of them", () => {
  const text = `${BASE}[wrkst]\nshare = ["shop"]\n[env.a.wrkst]\nshare = ["*"]\n[env.b.wrkst]\nshare = []\n[env.c]\n`;
  const shareOf = (environment?: string) => toml(text, environment).manifest.share;
  assert.deepEqual([shareOf(), shareOf("a"), shareOf("b"), shareOf("c")], [["shop"], ["*"], undefined, ["shop"]]);
});

test("how a new version is tried is said in short or in full, has its defaults, and is absent where it is not wanted", () => {
  const read = (lines: string) => {
    const { autoRollback, gradual } = toml(`${BASE}[wrkst]\n${lines}`).manifest;
    return [autoRollback, gradual];
  };
  const usual = { requests: 500, seconds: 600, failures: 2, latency: 3 };
  assert.deepEqual(read("auto_rollback = true\ngradual = true"), [
    usual,
    { steps: [5, 25], requests: 100, seconds: 300 },
  ]);
  assert.deepEqual(read("auto_rollback = { requests = 50, latency = 0 }\ngradual = [1, 50]"), [
    { ...usual, requests: 50, latency: 0 },
    { steps: [1, 50], requests: 100, seconds: 300 },
  ]);
  assert.deepEqual(read("gradual = { steps = [10], seconds = 60 }"), [
    undefined,
    { steps: [10], requests: 100, seconds: 60 },
  ]);
  const off = toml(`${BASE}[wrkst]\nauto_rollback = false\ngradual = false`).manifest;
  assert.deepEqual(off, toml(BASE).manifest);
});

test("TOML and JSON that say the same give the same manifest", () => {
  const fromToml = toml(`${BASE}
compatibility_flags = ["nodejs_compat"]
base_dir = "."
tsconfig = "./tsconfig.build.json"
jsx_factory = "h"
minify = true
keep_names = false
find_additional_modules = true
routes = ["Shop.Example.com/*", { pattern = "www.example.com", custom_domain = true }]
preview_urls = true
alias = { a = "./b" }
define = { VERSION = "'1'" }
rules = [{ type = "Text", globs = ["**/*.md"], fallthrough = true }]
[vars]
TEXT = "one"
NESTED = { list = [1, 2.5, true], deep = { er = "x" } }
[[d1_databases]]
binding = "DB"
database_name = "orders"
database_id = "1234"
migrations_dir = "sql"
migrations_table = "steps"
[observability]
enabled = true
[wrkst]
health = "/healthz"
egress = "none"
preview = false
share = ["shop", "blog", "shop"]
`);
  const fromJson = json({
    name: "hello",
    main: "src/index.ts",
    compatibility_date: "2026-11-01",
    compatibility_flags: ["nodejs_compat"],
    base_dir: ".",
    tsconfig: "./tsconfig.build.json",
    jsx_factory: "h",
    minify: true,
    keep_names: false,
    find_additional_modules: true,
    routes: ["Shop.Example.com/*", { pattern: "www.example.com", custom_domain: true }],
    preview_urls: true,
    alias: { a: "./b" },
    define: { VERSION: "'1'" },
    rules: [{ type: "Text", globs: ["**/*.md"], fallthrough: true }],
    vars: { TEXT: "one", NESTED: { list: [1, 2.5, true], deep: { er: "x" } } },
    d1_databases: [
      {
        ...{ binding: "DB", database_name: "orders", database_id: "1234" },
        ...{ migrations_dir: "sql", migrations_table: "steps" },
      },
    ],
    observability: { enabled: true },
    wrkst: { health: "/healthz", egress: "none", preview: false, share: ["shop", "blog", "shop"] },
  });
  assert.deepEqual(fromToml, fromJson);
  assert.deepEqual(fromToml.warnings, []);
  const { manifest } = fromToml;
  assert.deepEqual(manifest.hosts, ["shop.example.com", "www.example.com"]);
  assert.equal(manifest.workersDev, false);
  assert.equal(manifest.tsconfig, "tsconfig.build.json");
  assert.equal(manifest.jsxFactory, "h");
  assert.deepEqual(manifest.share, ["blog", "shop"]);
  assert.deepEqual(manifest.d1Databases, [
    {
      ...{ binding: "DB", databaseName: "orders", databaseId: "1234" },
      ...{ migrationsDir: "sql", migrationsTable: "steps" },
    },
  ]);
  assert.deepEqual(
    manifest.rules.map(({ type }) => type),
    ["Text", "Text", "Data", "CompiledWasm"],
  );
});

test("a byte order mark, comments and trailing commas are tolerated", () => {
  const text = '\uFEFF{ // name\n "name": "a", "main": "a.js", "compatibility_date": "2026-11-01", }';
  assert.equal(json(text).manifest.name, "a");
  assert.equal(parseManifest({ text, file: "wrangler.json" }).manifest.name, "a");
  assert.equal(toml(`\uFEFF${BASE}`).manifest.name, "hello");
});

test("a rule closes its type, the default of that type included", () => {
  const { manifest } = toml(`${BASE}rules = [{ type = "Text", globs = ["**/*.md"] }]`);
  assert.deepEqual(
    manifest.rules.map(({ globs }) => globs[0]),
    ["**/*.md", "**/*.bin", "**/*.wasm"],
  );
});

test("without bundling, additional modules are always looked for and nothing is minified", () => {
  const { manifest, warnings } = toml(`${BASE}no_bundle = true\nminify = true`);
  assert.equal(manifest.findAdditionalModules, true);
  assert.equal(manifest.minify, false);
  assert.match(warnings[0]!.message, /"minify"/);
});

const WITH_ENVIRONMENTS = `${BASE}
minify = true
routes = ["example.com/*"]
[vars]
A = "top"
[define]
X = "1"
[wrkst]
health = "/up"
egress = "none"
[env.production]
vars = { B = "production" }
routes = []
[env.production.wrkst]
egress = "public"
[env.named]
name = "other"
`;

test("an environment inherits what wrangler lets it inherit", () => {
  const { manifest, warnings } = toml(WITH_ENVIRONMENTS, "production");
  assert.equal(manifest.name, "hello-production");
  assert.equal(manifest.minify, true);
  assert.deepEqual(manifest.hosts, []);
  assert.deepEqual(manifest.vars, { B: "production" });
  assert.deepEqual(manifest.define, {});
  assert.equal(manifest.health, "/up");
  assert.equal(manifest.egress, "public");
  assert.deepEqual(
    warnings.map(({ message }) => /"(\w+)" is set at the top level only/.exec(message)?.[1]),
    ["define", "A"],
  );
});

test("an environment may name itself", () => {
  assert.equal(toml(WITH_ENVIRONMENTS, "named").manifest.name, "other");
});

test("an environment that the file lacks beside others is an error", () => {
  const error = errorOf(() => toml(WITH_ENVIRONMENTS, "staging"));
  assert.equal(error.code, "ERR_MANIFEST");
  assert.match(error.message, /"production", "named"/);
});

test("an environment for a file without any takes the whole top level, with a warning", () => {
  const { manifest, warnings } = toml(`${BASE}[vars]\nA = "1"`, "staging");
  assert.equal(manifest.name, "hello-staging");
  assert.deepEqual(manifest.vars, { A: "1" });
  assert.equal(warnings.length, 1);
});

test("unsupported bindings of another environment do not matter", () => {
  const text = `${BASE}[[kv_namespaces]]\nbinding = "KV"\nid = "1"\n[env.production]\n`;
  assert.equal(toml(text, "production").manifest.name, "hello-production");
  assert.equal(errorOf(() => toml(text)).code, "ERR_BINDING_UNSUPPORTED");
});

test("the empty environment is the top level", () => {
  assert.equal(toml(WITH_ENVIRONMENTS, "").manifest.name, "hello");
});

const wrong: [name: string, text: string, position: string][] = [
  ["a syntax error", `${BASE}vars = [`, "4:8"],
  ["a missing name", 'main = "a.js"', ""],
  ["an empty name", 'name = ""', "1:1"],
  ["a name in capitals", BASE.replace("hello", "Hello"), "1:1"],
  ["a name with an underscore", BASE.replace("hello", "he_llo"), "1:1"],
  ["a name with two hyphens", BASE.replace("hello", "he--llo"), "1:1"],
  ["a name that is too long", BASE.replace("hello", "h".repeat(54)), "1:1"],
  ["a missing main", 'name = "hello"', ""],
  ["an absolute main", BASE.replace("src/index.ts", "/etc/passwd"), "2:1"],
  ["a main in Python", BASE.replace("index.ts", "index.py"), "2:1"],
  ["a main of the wrong type", 'name = "hello"\nmain = 1', "2:1"],
  ["a missing compatibility date", 'name = "hello"\nmain = "a.js"', ""],
  ["a compatibility date without quotes", BASE.replaceAll('"2026-11-01"', "2026-11-01"), "3:1"],
  ["a compatibility date that does not exist", BASE.replace("11-01", "11-31"), "3:1"],
  ["a compatibility date of another form", BASE.replace("2026-11-01", "1 November 2026"), "3:1"],
  ["flags that are no array", `${BASE}compatibility_flags = "a"`, "4:1"],
  ["a flag that is no string", `${BASE}compatibility_flags = ["a",\n 1]`, "5:2"],
  ["a build command", `${BASE}[build]\ncommand = "make"`, "5:1"],
  ["a Pages project", `${BASE}pages_build_output_dir = "out"`, "4:1"],
  ["service environments", `${BASE}legacy_env = false`, "4:1"],
  ["node_compat", `${BASE}node_compat = true`, "4:1"],
  ["a switch that is no boolean", `${BASE}minify = "yes"`, "4:1"],
  ["a var that is a date", `${BASE}[vars]\nSINCE = { at = 2026-01-01 }`, "5:11"],
  ["a var that is not finite", `${BASE}[vars]\nX = inf`, "5:1"],
  ["a var named D1", `${BASE}[vars]\nD1 = "x"`, "5:1"],
  ["a var of the platform's", `${BASE}[vars]\n__wrkst_x = "x"`, "5:1"],
  ["a var named __proto__", `${BASE}[vars]\n"__proto__" = "x"`, "5:1"],
  ["vars that are no table", `${BASE}vars = "x"`, "4:1"],
  ["a define that is no string", `${BASE}define.A = 1`, "4:8"],
  ["a database without binding", `${BASE}[[d1_databases]]\ndatabase_name = "x"`, "4:3"],
  ["a database with a strange binding", `${BASE}[[d1_databases]]\nbinding = "a-b"`, "5:1"],
  ["a binding that is a var too", `${BASE}[[d1_databases]]\nbinding = "DB"\n[vars]\nDB = "x"`, "5:1"],
  ["two bindings of a name", `${BASE}[[d1_databases]]\nbinding = "DB"\n[[d1_databases]]\nbinding = "DB"`, "7:1"],
  ["a rule of an unknown type", `${BASE}[[rules]]\ntype = "Python"\nglobs = ["*"]`, "5:1"],
  ["a rule without globs", `${BASE}[[rules]]\ntype = "Text"`, "4:3"],
  ["a typo below wrkst", `${BASE}[wrkst]\nhelth = "/x"`, "5:1"],
  ["a health path without slash", `${BASE}wrkst.health = "x"`, "4:7"],
  ["a health path that is a host", `${BASE}wrkst.health = "//example.com/"`, "4:7"],
  ["a share that is no list", `${BASE}[wrkst]\nshare = "shop"`, "5:1"],
  ["a share with what can be no function", `${BASE}[wrkst]\nshare = [\n"shop",\n"he--llo"]`, "7:1"],
  ["a migrations table that is no string", `${BASE}[[d1_databases]]\nbinding = "DB"\nmigrations_table = 1`, "6:1"],
  ["an automatic return of another kind", `${BASE}[wrkst]\nauto_rollback = "yes"`, "5:1"],
  ["a trial of too few requests", `${BASE}[wrkst.auto_rollback]\nseconds = 60\nrequests = 3`, "6:1"],
  ["a typo in how a version is tried", `${BASE}[wrkst]\nauto_rollback = { request = 50 }`, "5:19"],
  ["steps that do not ascend", `${BASE}[wrkst]\ngradual = [25, 5]`, "5:1"],
  ["a last step that is all", `${BASE}[wrkst]\ngradual = { steps = [50, 100] }`, "5:13"],
  ["an egress rule of another kind", `${BASE}wrkst = { egress = "private" }`, "4:11"],
  ["route and routes", `${BASE}route = "a.example/*"\nroutes = []`, "5:1"],
  ["a route object without pattern", `${BASE}routes = [{ zone_name = "x" }]`, "4:11"],
  ["an env that is no table", `${BASE}env = 1`, ""],
  ["an environment that is no table", `${BASE}env.production = 1`, ""],
];

for (const [name, text, position] of wrong) {
  test(`${name} is refused with its position`, () => {
    const environment = name.includes(" env") && name.includes("no table") ? "production" : undefined;
    const error = errorOf(() => toml(text, environment));
    assert.equal(error.code, "ERR_MANIFEST");
    assert.ok(error.position);
    if (position) assert.equal(formatPosition(error.position), `hello/wrangler.toml:${position}`);
    else assert.equal(error.position.file, "hello/wrangler.toml");
  });
}

test("positions in JSON are those of the key", () => {
  const error = errorOf(() => json('{\n  "name": "a",\n  "main": "a.js",\n  "vars": {\n    "D1": 1\n  }\n}'));
  assert.equal(error.code, "ERR_MANIFEST");
  const dated = errorOf(() =>
    json('{\n  "name": "a", "main": "a.js", "compatibility_date": "2026-11-01",\n  "vars": {\n    "D1": 1\n  }\n}'),
  );
  assert.equal(formatPosition(dated.position!), "hello/wrangler.jsonc:4:5");
  const syntax = errorOf(() => json('{\n  "name" "a"\n}'));
  assert.equal(formatPosition(syntax.position!), "hello/wrangler.jsonc:2:10");
});

const routes: [pattern: string, host: string | undefined][] = [
  ["shop.example.com/*", "shop.example.com"],
  ["shop.example.com", "shop.example.com"],
  ["SHOP.example.COM/*", "shop.example.com"],
  ["münchen.example/*", "xn--mnchen-3ya.example"],
  ["intranet/*", "intranet"],
  ["*.example.com/*", undefined],
  ["*/*", undefined],
  ["shop.example.com/api/*", undefined],
  ["shop.example.com/", undefined],
  ["shop.example.com/**", undefined],
  ["https://shop.example.com/*", undefined],
  ["shop.example.com:8080/*", undefined],
  ["shop.example.com./*", undefined],
  ["user@shop.example.com/*", undefined],
  ["localhost/*", undefined],
  ["a.localhost/*", undefined],
  ["127.0.0.1/*", undefined],
  ["127.1/*", undefined],
  ["0x7f000001/*", undefined],
  ["2130706433", undefined],
  ["[::1]/*", undefined],
  ["::1", undefined],
  ["a..b/*", undefined],
  ["-a.example/*", undefined],
  ["a b.example/*", undefined],
  ["/*", undefined],
  ["", undefined],
];

for (const [pattern, host] of routes) {
  test(`B7b: the route "${pattern}" is ${host ? `the host ${host}` : "refused"}`, () => {
    const text = `${BASE}routes = [${JSON.stringify(pattern)}]`;
    if (host) assert.deepEqual(toml(text).manifest.hosts, [host]);
    else assert.equal(errorOf(() => toml(text)).code, "ERR_MANIFEST");
  });
}

test("a host that is written twice counts once, and a custom domain that is off does not count", () => {
  const text = `${BASE}routes = ["a.example", "A.example/*", { pattern = "b.example", custom_domain = true, enabled = false }]`;
  assert.deepEqual(toml(text).manifest.hosts, ["a.example"]);
});

const unsupported: [text: string, label: RegExp, position: string][] = [
  ['[[kv_namespaces]]\nbinding = "CACHE"\nid = "1"', /KV namespace "CACHE"/, "4:3"],
  ['r2_buckets = [{ binding = "FILES", bucket_name = "x" }]', /R2 bucket "FILES"/, "4:15"],
  ['[[queues.producers]]\nqueue = "q"\nbinding = "Q"', /queue "Q"/, "4:10"],
  ['[[queues.consumers]]\nqueue = "q"', /queue/, "4:10"],
  ['[[services]]\nbinding = "AUTH"\nservice = "auth"', /service binding "AUTH"/, "4:3"],
  ['[durable_objects]\nbindings = [{ name = "ROOM", class_name = "Room" }]', /Durable Object namespace "ROOM"/, "5:13"],
  ['[triggers]\ncrons = ["* * * * *"]', /cron trigger/, "5:10"],
  ['[assets]\ndirectory = "public"', /static assets/, "4:2"],
  ['[ai]\nbinding = "AI"', /AI binding "AI"/, "4:2"],
  ['[version_metadata]\nbinding = "META"', /version metadata binding "META"/, "4:2"],
  ['tail_consumers = [{ service = "x" }]', /tail consumer/, "4:19"],
  ['[site]\nbucket = "public"', /Workers site/, "4:2"],
  ['[[unsafe.bindings]]\nname = "X"\ntype = "y"', /unsafe binding "X"/, "4:10"],
  ['wasm_modules = { M = "a.wasm" }', /wasm module binding/, "4:1"],
];

for (const [text, label, position] of unsupported) {
  test(`a binding that is not supported is refused by name: ${label.source}`, () => {
    const error = errorOf(() => toml(BASE + text));
    assert.equal(error.code, "ERR_BINDING_UNSUPPORTED");
    assert.match(error.message, label);
    assert.ok(error.hint);
    assert.equal(formatPosition(error.position!), `hello/wrangler.toml:${position}`);
  });
}

test("every kind of binding that wrangler knows is supported or refused", async () => {
  const { BINDING_KEYS, SUPPORTED_KEYS } = await import("./bindings/kinds.js");
  for (const key of BINDING_KEYS) {
    if (SUPPORTED_KEYS.includes(key)) continue;
    const error = errorOf(() => toml(`${BASE}${key} = [{ binding = "X" }]`));
    assert.equal(error.code, "ERR_BINDING_UNSUPPORTED", key);
  }
});

test("bindings that bind nothing are no bindings", () => {
  const text = `${BASE}kv_namespaces = []\nqueues = { producers = [] }\ntriggers = { crons = [] }\nunsafe = {}`;
  assert.deepEqual(toml(text).warnings, []);
});

test("keys that do nothing here and unknown keys are warnings", () => {
  const { warnings } = toml(
    `${BASE}account_id = "x"\nlimits = { cpu_ms = 1 }\ncompatability_flags = []\nzzz = 1\n[env.production]\nalias = {}\nwrkst.preview = true`,
    "production",
  );
  assert.deepEqual(
    warnings.map(({ message }) => message),
    [
      'key "limits" has no effect here',
      'unknown key "compatability_flags"; did you mean "compatibility_flags"?',
      'unknown key "zzz"',
      'unknown key "env.production.alias"; it belongs at the top level',
    ],
  );
  assert.equal(formatPosition(warnings[1]!.position!), "hello/wrangler.toml:6:1");
});

test("a file over a mebibyte is refused", () => {
  const error = errorOf(() => toml(`${BASE}#${"x".repeat(1024 * 1024)}`));
  assert.equal(error.code, "ERR_MANIFEST");
});

const deep: [name: string, text: string, file: string][] = [
  ["arrays in JSON", `{"vars":${"[".repeat(200_000)}`, "wrangler.json"],
  ["arrays in TOML", `a = ${"[".repeat(200_000)}`, "wrangler.toml"],
  ["dotted keys in TOML", `${"a.".repeat(100_000)}a = 1`, "wrangler.toml"],
  ["a header in TOML", `[${"a.".repeat(100_000)}a]`, "wrangler.toml"],
];
for (const [name, text, file] of deep) {
  test(`deep nesting is refused: ${name}`, () => {
    assert.equal(errorOf(() => parseManifest({ text, file })).code, "ERR_MANIFEST");
  });
}

const fragment = fc.oneof(
  fc.constantFrom(
    ...[
      'name = "a"',
      'main = "a.js"',
      'compatibility_date = "2026-11-01"',
      "[vars]",
      "[env.x]",
      "[[rules]]",
      "\n",
      "[[",
    ],
    ...[
      "]]",
      "{",
      "}",
      '"""',
      "'''",
      "\\",
      "=",
      ".",
      ",",
      "# x",
      "routes = [",
      '"name": "a"',
      "a.b",
      "1e999",
      "null",
      "\r\n",
    ],
    ...[
      "d1_databases = [{}]",
      "[wrkst]",
      "[build]",
      "vars = 1",
      "__proto__",
      "constructor",
      "[queues]",
      "env = 1",
      "inf",
    ],
  ),
  fc.string({ unit: "binary", maxLength: 8 }),
  fc.json({ maxDepth: 3 }),
);

test("no text makes it throw anything but a WrkstError", () => {
  const texts = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.array(fragment, { maxLength: 30 }).map((parts) => parts.join("")),
    fc.array(fragment, { maxLength: 30 }).map((parts) => parts.join("\n")),
  );
  fc.assert(
    fc.property(
      texts,
      fc.constantFrom("wrangler.toml", "wrangler.json"),
      fc.constantFrom(undefined, "x"),
      (text, file, environment) => {
        try {
          parseManifest({ text, file, environment });
        } catch (error) {
          assert.ok(error instanceof WrkstError, String(error));
        }
      },
    ),
    { numRuns: runs(5000) },
  );
});

test("no value makes it throw anything but a WrkstError", () => {
  const keys = [
    "routes",
    "vars",
    "env",
    "rules",
    "d1_databases",
    "wrkst",
    "observability",
    "build",
    "define",
    "alias",
    "queues",
  ];
  const value = fc.dictionary(fc.constantFrom(...keys), fc.jsonValue({ maxDepth: 4 }));
  fc.assert(
    fc.property(value, fc.constantFrom(undefined, "x"), (settings, environment) => {
      try {
        json({ name: "a", main: "a.js", compatibility_date: "2026-11-01", ...settings }, environment);
      } catch (error) {
        assert.ok(error instanceof WrkstError, String(error));
      }
    }),
    { numRuns: runs(3000) },
  );
});
