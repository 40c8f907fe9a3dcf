import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { documentedVariables, type Environment, parseConfig } from "./config.js";
import { WrkstError } from "./errors.js";

const surroundings = { folder: "/srv/wrkst", memory: 1000 * 2 ** 20, terminal: false };
const parse = (env: Environment) => parseConfig(env, surroundings);

function refusal(env: Environment): WrkstError {
  try {
    parse(env);
  } catch (error) {
    if (error instanceof WrkstError) return error;
  }
  throw new assert.AssertionError({ message: `${JSON.stringify(env)} was taken` });
}

test("needs no variable at all", () => {
  const config = parse({});
  assert.equal(config.publicUrl, "http://localhost:8080");
  assert.equal(config.dataDir, "/srv/wrkst/data");
  assert.equal(config.git.repo, undefined);
  assert.equal(config.git.pollInterval, 10_000);
  assert.equal(config.runtime.memoryLimit, 750 * 2 ** 20);
  assert.deepEqual(config.git.pruneLimit, { share: 0.5, count: 3 });
  assert.deepEqual(config.log, { level: "info", format: "json" });
  assert.deepEqual(config.warnings, []);
});

test("takes an empty variable as unset", () => {
  assert.deepEqual(parse({ PORT: "", BASE_DOMAIN: " ", GIT_REPO: "", WEBHOOK_SECRET: "" }), parse({}));
});

const OIDC = { OIDC_ISSUER: "https://id.example", OIDC_CLIENT_ID: "a", PUBLIC_URL: "https://fn.example.com" };
const ENDPOINTS = {
  OIDC_AUTHORIZATION_ENDPOINT: "https://id.example/auth",
  OIDC_TOKEN_ENDPOINT: "https://id.example/token",
  OIDC_USERINFO_ENDPOINT: "https://id.example/me",
  OIDC_JWKS_URI: "https://id.example/jwks",
};
const SIGNING = "Gb8vT2kq0xW7nZ5rJ1yM4cLs9hDf6aPe";
const CI_RULE = {
  issuer: "https://ci.example.com",
  audience: "wrkst",
  claims: { repository: "acme/fns" },
  account: "main",
  scopes: ["deploy"],
};

const taken: [string, Environment, (config: ReturnType<typeof parse>) => unknown, unknown][] = [
  ["a base domain in lower case", { BASE_DOMAIN: "Fn.Example.COM." }, (c) => c.publicUrl, "http://fn.example.com:8080"],
  ["port 80 without saying it", { PORT: "80" }, (c) => c.publicUrl, "http://localhost"],
  ["a public address", { PUBLIC_URL: "https://fn.example.com/" }, (c) => c.publicUrl, "https://fn.example.com"],
  ["an admin port alone as loopback", { ADMIN_LISTEN: "8081" }, (c) => c.adminListen?.host, "127.0.0.1"],
  ["an admin address of IPv6", { ADMIN_LISTEN: "[::1]:81" }, (c) => c.adminListen, { host: "::1", port: 81 }],
  [
    "networks and single addresses",
    { TRUSTED_PROXIES: "10.0.0.0/8, ::1" },
    (c) => c.trustedProxies.join(),
    "10.0.0.0/8,::1/128",
  ],
  ["no polling", { GIT_POLL_INTERVAL: "0" }, (c) => c.git.pollInterval, null],
  ["milliseconds", { GIT_POLL_INTERVAL: "500ms" }, (c) => c.git.pollInterval, 500],
  ["days", { PREVIEW_RETENTION: "3d" }, (c) => c.previewRetention, 259_200_000],
  ["previews for ever", { PREVIEW_RETENTION: "0" }, (c) => c.previewRetention, null],
  ["bytes with a unit", { RUNTIME_MEMORY_LIMIT: "2GiB" }, (c) => c.runtime.memoryLimit, 2 ** 31],
  ["a number of removals", { GIT_PRUNE_LIMIT: "10" }, (c) => c.git.pruneLimit, { share: 0, count: 10 }],
  ["a relative repository as a path", { GIT_REPO: "../fns" }, (c) => c.git.repo, "/srv/fns"],
  [
    "an https repository as it is",
    { GIT_REPO: "https://h.example/a.git" },
    (c) => c.git.repo,
    "https://h.example/a.git",
  ],
  [
    "the short form of ssh",
    { GIT_REPO: "git@h.example:a.git", GIT_KNOWN_HOSTS_FILE: "hosts" },
    (c) => [c.git.repo, c.git.knownHostsFile],
    ["git@h.example:a.git", "/srv/wrkst/hosts"],
  ],
  ["a folder without its slashes", { GIT_PATH: "/functions/" }, (c) => c.git.path, "functions"],
  ["wrangler's own variable", { CLOUDFLARE_ENV: "staging" }, (c) => c.wranglerEnv, "staging"],
  ["our variable before wrangler's", { WRANGLER_ENV: "a", CLOUDFLARE_ENV: "b" }, (c) => c.wranglerEnv, "a"],
  ["the admin token off", { ADMIN_TOKEN: "off" }, (c) => c.adminToken, false],
  ["egress lists", { EGRESS_ALLOW: "public,10.1.2.3" }, (c) => c.egress.allow, ["public", "10.1.2.3/32"]],
  [
    "functions of the private network",
    { EGRESS_PRIVATE: "main/a main/*" },
    (c) => c.egress.private,
    ["main/a", "main/*"],
  ],
  [
    "rules of people",
    { OIDC_ALLOW: "email:*@Example.com, group:Domain Users sub:12|x, *" },
    (c) => c.access.allow,
    [
      { claim: "email", pattern: "*@example.com" },
      { claim: "group", pattern: "Domain Users" },
      { claim: "sub", pattern: "12|x" },
      { claim: "everybody" },
    ],
  ],
  [
    "redirects of clients",
    { OIDC_REDIRECTS: "https://a.example/cb,tool=http://localhost:1/cb" },
    (c) => c.access.redirects,
    [
      { clientId: undefined, uri: "https://a.example/cb" },
      { clientId: "tool", uri: "http://localhost:1/cb" },
    ],
  ],
  ["rules of CI issuers", { OIDC_CI_RULES: JSON.stringify([CI_RULE]) }, (c) => c.access.ciRules, [CI_RULE]],
  ["a provider on loopback", { ...OIDC, OIDC_ISSUER: "http://127.0.0.1:9/x" }, (c) => c.access.provider?.clientId, "a"],
  [
    "a provider without discovery",
    { ...OIDC, ...ENDPOINTS },
    (c) => c.access.provider?.endpoints?.jwks,
    "https://id.example/jwks",
  ],
  ["a range of tags", { GIT_TAGS: " >=1.2 <3 " }, (c) => c.git.tags, ">=1.2 <3"],
  ["a signing secret", { JWT_SECRET: SIGNING }, (c) => c.access.jwtSecret, SIGNING],
];
for (const [name, env, read, value] of taken) {
  test(`takes ${name}`, () => assert.deepEqual(read(parse(env)), value));
}

const refused: [string, Environment][] = [
  ["a port that is none", { PORT: "80a" }],
  ["a port that is too large", { PORT: "65536" }],
  ["a base domain with a port", { BASE_DOMAIN: "example.com:80" }],
  ["an address as base domain", { BASE_DOMAIN: "127.0.0.1" }],
  ["a public address with a path", { PUBLIC_URL: "https://example.com/x" }],
  ["a public address that is no web address", { PUBLIC_URL: "javascript:alert(1)" }],
  ["an admin address without port", { ADMIN_LISTEN: "127.0.0.1" }],
  ["a network of too many bits", { TRUSTED_PROXIES: "10.0.0.0/33" }],
  ["an address that only looks like one", { TRUSTED_PROXIES: "010.1" }],
  ["a duration without unit", { GIT_POLL_INTERVAL: "10" }],
  ["a hang timeout of nothing", { RUNTIME_HANG_TIMEOUT: "0" }],
  ["a memory limit of nothing", { RUNTIME_MEMORY_LIMIT: "0%" }],
  ["a share above all", { GIT_PRUNE_LIMIT: "101%" }],
  ["an option as repository", { GIT_REPO: "--upload-pack=x" }],
  ["a transport that runs commands", { GIT_REPO: "ext::sh -c x" }],
  ["credentials in the address", { GIT_REPO: "https://me:word@h.example/a.git" }],
  ["ssh without host keys", { GIT_REPO: "ssh://git@h.example/a.git" }],
  ["an option as branch", { GIT_BRANCH: "-x" }],
  ["a branch with two dots", { GIT_BRANCH: "a..b" }],
  ["a range of tags that is none", { GIT_TAGS: "newest" }],
  ["a range of tags beside a branch", { GIT_TAGS: "^1", GIT_BRANCH: "main" }],
  ["a folder above the repository", { GIT_PATH: "a/../../b" }],
  ["a token where on or off belongs", { ADMIN_TOKEN: "my-token" }],
  ["a boolean that is none", { USE_FORWARDED_HOST: "maybe" }],
  ["a private function without account", { EGRESS_PRIVATE: "orders" }],
  ["an unknown log level", { LOG_LEVEL: "loud" }],
];
const ciRule = (change: object) => ({ OIDC_CI_RULES: JSON.stringify([{ ...CI_RULE, ...change }]) });
const refusedAccess: [string, Environment][] = [
  ["a provider over plain http", { OIDC_ISSUER: "http://id.example", OIDC_CLIENT_ID: "a" }],
  ["a provider with credentials in its address", { OIDC_ISSUER: "https://a:b@id.example", OIDC_CLIENT_ID: "a" }],
  ["a host that begins like loopback", { OIDC_ISSUER: "http://127.0.0.1.evil.example", OIDC_CLIENT_ID: "a" }],
  ["a rule of no kind", { OIDC_ALLOW: "ann@example.com" }],
  ["a rule of an address without domain", { OIDC_ADMINS: "email:*" }],
  ["a redirect over plain http", { OIDC_REDIRECTS: "http://tool.example/cb" }],
  ["rules of CI that are no JSON", { OIDC_CI_RULES: "issuer=x" }],
  ["a rule of CI without claims (A9)", ciRule({ claims: {} })],
  ["a rule of CI that everybody fits (A9)", ciRule({ claims: { repository: "**" } })],
  ["a rule of CI over plain http (A9)", ciRule({ issuer: "http://ci.example.com" })],
  ["a rule of CI without audience (A9)", ciRule({ audience: "" })],
  ["a rule of CI with an unknown scope (A9)", ciRule({ scopes: ["root"] })],
  ["a short signing secret (A6)", { JWT_SECRET: "x1y2z3x1y2z3x1y2z3x1y2z3x1y2z3x" }],
  ["a placeholder as signing secret (A6)", { JWT_SECRET: "please-change-me-please-change-me-1" }],
  ["one letter as signing secret (A6)", { JWT_SECRET: "x".repeat(64) }],
];

const contradictory: [string, Environment, string][] = [
  ["a client without its provider", { OIDC_CLIENT_ID: "a" }, "OIDC_ISSUER"],
  ["a provider without its client", { OIDC_ISSUER: "https://id.example" }, "OIDC_CLIENT_ID"],
  ["some endpoints of four", { ...OIDC, OIDC_JWKS_URI: "https://id.example/jwks" }, "OIDC_AUTHORIZATION_ENDPOINT"],
  ["a login over plain http (A2)", { ...OIDC, PUBLIC_URL: "http://fn.example.com" }, "PUBLIC_URL"],
  [
    "a login over plain http by the base domain (A2)",
    { ...OIDC, PUBLIC_URL: "", BASE_DOMAIN: "fn.example" },
    "PUBLIC_URL",
  ],
  ["another path for the callback", { ...OIDC, OIDC_REDIRECT_URI: "https://fn.example.com/cb" }, "OIDC_REDIRECT_URI"],
];
for (const [name, env, variable] of contradictory) {
  test(`refuses ${name}, and names ${variable}`, () => {
    const { code, message } = refusal(env);
    assert.equal(code, "ERR_CONFIG");
    assert.match(message, new RegExp(`${variable}.*: expected `));
  });
}

test("says when nobody may log in, and when rules have no effect (A7)", () => {
  assert.match(parse(OIDC).warnings.join(), /nobody may log in/);
  assert.match(parse({ OIDC_ALLOW: "*" }).warnings.join(), /no effect/);
  assert.deepEqual(parse({ ...OIDC, OIDC_ALLOW: "*" }).warnings, []);
});

for (const [name, env] of [...refused, ...refusedAccess]) {
  test(`refuses ${name}, and names the variable`, () => {
    const error = refusal(env);
    assert.equal(error.code, "ERR_CONFIG");
    const [variable = ""] = name.includes("host keys") ? ["GIT_KNOWN_HOSTS_FILE"] : Object.keys(env);
    assert.ok(error.message.startsWith(`${variable}: expected `), error.message);
    assert.ok(error.hint);
  });
}

test("reports every wrong variable at once", () => {
  const { message } = refusal({ PORT: "x", GIT_POLL_INTERVAL: "soon", LOG_FORMAT: "xml" });
  for (const name of ["PORT", "GIT_POLL_INTERVAL", "LOG_FORMAT"]) assert.ok(message.includes(`${name}: expected`));
});

test("never shows a secret, also not a wrong one", () => {
  const error = refusal({
    ADMIN_TOKEN: "canary-1",
    GIT_REPO: "https://me:canary-2@h.example/a",
    GIT_TOKEN: "canary-3",
  });
  assert.doesNotMatch(`${error.message} ${error.hint}`, /canary/);
});

test("takes sizes and intervals of databases, and 0 for no snapshots", () => {
  const day = 86_400_000;
  assert.deepEqual(parse({}).databases, { backupInterval: day, maxSize: 10 * 2 ** 30 });
  const { databases } = parse({ D1_BACKUP_INTERVAL: "0", D1_MAX_SIZE: "500MB" });
  assert.deepEqual(databases, { backupInterval: null, maxSize: 500 * 2 ** 20 });
  assert.match(refusal({ D1_MAX_SIZE: "1k" }).message, /D1_MAX_SIZE/);
});

test("documents every variable with its default in .env.example, and no other", () => {
  const lines = readFileSync(".env.example", "utf8").split("\n");
  const documented = lines.flatMap((line) => {
    const [, name, value] = /^# ([A-Z][A-Z0-9_]*)=(.*)$/.exec(line) ?? [];
    return name === undefined ? [] : [[name, value]];
  });
  assert.deepEqual(Object.fromEntries(documented), documentedVariables());
});
