// The settings of the platform: every variable, its default, its check. The only file that names process.env.

import { totalmem } from "node:os";
import { constrainedMemory, cwd, stdout } from "node:process";
import {
  parseCiRules,
  parseClientRedirect,
  parsePersonRules,
  parseProviderUrl,
  parseSigningSecret,
} from "./config-access.js";
import {
  Expected,
  isSshRepository,
  type ListenAddress,
  type Parse,
  type PruneLimit,
  parseBoolean,
  parseBranch,
  parseBranchPatterns,
  parseDomain,
  parseDurationOrNone,
  parseEgress,
  parseFunctionPattern,
  parseGitHost,
  parseInteger,
  parseKey,
  parseList,
  parseListenAddress,
  parseListenHost,
  parseMemory,
  parseNetwork,
  parseOneOf,
  parseOnOff,
  parseOrigin,
  parsePath,
  parsePositiveDuration,
  parsePruneLimit,
  parseRepository,
  parseRepositoryFolder,
  parseSize,
  parseVersionRange,
} from "./config-values.js";
import { WrkstError } from "./errors.js";
import { type AccessSettings, isLoopbackUrl } from "./model-access.js";

export type { ListenAddress, PruneLimit };

export interface Config {
  /** `*` is every interface. */
  host: string;
  /** 0: any free one. */
  port: number;
  /** Lower case. Functions are `<name>.<baseDomain>`. */
  baseDomain: string;
  /** Origin without trailing slash. */
  publicUrl: string;
  adminListen: ListenAddress | undefined;
  /** CIDRs. */
  trustedProxies: string[];
  useForwardedHost: boolean;
  /** Absolute. */
  dataDir: string;
  git: GitConfig;
  /** Milliseconds; null: for ever. */
  previewRetention: number | null;
  /** Milliseconds. */
  retention: number;
  /** Of one account, deployed by hand. */
  maxFunctions: number;
  /** `[env.<name>]` of the wrangler files. */
  wranglerEnv: string | undefined;
  webhookSecret: string | undefined;
  /** What secrets of functions are sealed with; undefined: the key in `secrets/`. */
  encryptionKey: string | undefined;
  /** Whether the generated token works. */
  adminToken: boolean;
  access: AccessSettings;
  /** Hosts outside the public internet that notifications and statuses of commits may go to, by http too. */
  notifyAllowHosts: { host: string; port?: number }[];
  egress: EgressConfig;
  runtime: RuntimeConfig;
  databases: DatabasesConfig;
  log: { level: LogLevel; format: LogFormat };
  /** Milliseconds that exceptions and logs of functions are kept. */
  logRetention: number;
  /** Sentences for the operator, to be logged at start. */
  warnings: string[];
}

export interface ProcessConfig extends Config {
  /** What the process was given, for programs it starts: each takes only what it needs (PATH, proxies, certificates). */
  environment: Readonly<Environment>;
}

export interface GitConfig {
  /** URL, or absolute path; undefined: the embedded repository. */
  repo: string | undefined;
  branch: string;
  /** A range of versions whose newest tag is followed in place of the branch. */
  tags: string | undefined;
  /** Folder inside the repository, `""` for its root. */
  path: string;
  /** Branches that get previews, as globs; empty: none. */
  previews: string[];
  /** Milliseconds; null: never asked without a reason. */
  pollInterval: number | null;
  token: string | undefined;
  username: string | undefined;
  sshKeyFile: string | undefined;
  knownHostsFile: string | undefined;
  /** Allowed-signers file; with it or a keyring, commits must be signed. */
  verifySignersFile: string | undefined;
  /** Armored OpenPGP public keys. */
  verifyKeyringFile: string | undefined;
  pruneLimit: PruneLimit;
  /** Hosts outside the public internet where sources that people add may be, over http too. */
  allowHosts: { host: string; port?: number }[];
}

export interface EgressConfig {
  /** `public` and CIDRs, as workerd's `network.allow` takes them. */
  allow: string[];
  /** CIDRs. */
  deny: string[];
  /** `account/function` or `account/*`: who may use the CIDRs of `allow`. */
  private: string[];
}

export interface RuntimeConfig {
  maxIsolates: number;
  /** Milliseconds. */
  hangTimeout: number;
  /** Bytes. */
  memoryLimit: number;
}

export interface DatabasesConfig {
  /** Milliseconds between two snapshots of a database that changes; null: none is taken without a reason. */
  backupInterval: number | null;
  /** Bytes. */
  maxSize: number;
}

export type LogLevel = "trace" | "debug" | "info" | "warn" | "error" | "fatal" | "silent";
export type LogFormat = "pretty" | "json";
export type Environment = Record<string, string | undefined>;

/** What defaults depend on, beside the environment. */
export interface Surroundings {
  /** Folder that relative paths start from. */
  folder: string;
  /** Bytes that this machine or container has. */
  memory: number;
  /** Whether the output is read by a person. */
  terminal: boolean;
}

interface Variable<T> {
  parse: Parse<T>;
  /** Text that stands for an unset variable, in the form a person would write. */
  fallback?: string;
  /** The value is never shown. */
  secret?: true;
}

const text: Parse<string> = (raw) => raw;

function variable<T>(parse: Parse<T>, fallback: string, options: { secret?: true } = {}) {
  return { parse, fallback, ...options };
}
function optional<T>(parse: Parse<T>, options: { secret?: true } = {}): Variable<T | undefined> {
  return { parse, ...options };
}

function variablesOf({ folder, memory, terminal }: Surroundings) {
  return {
    PORT: variable(parseInteger(0, 65_535), "8080"),
    HOST: variable(parseListenHost, "*"),
    BASE_DOMAIN: variable(parseDomain, "localhost"),
    PUBLIC_URL: optional(parseOrigin),
    ADMIN_LISTEN: optional(parseListenAddress),
    TRUSTED_PROXIES: variable(parseList(parseNetwork), ""),
    USE_FORWARDED_HOST: variable(parseBoolean, "false"),
    DATA_DIR: variable(parsePath(folder), "./data"),
    GIT_REPO: optional(parseRepository(folder), { secret: true }),
    GIT_BRANCH: variable(parseBranch, "main"),
    GIT_TAGS: optional(parseVersionRange),
    GIT_PATH: variable(parseRepositoryFolder, ""),
    GIT_PREVIEWS: optional(parseBranchPatterns),
    GIT_POLL_INTERVAL: variable(parseDurationOrNone, "10s"),
    GIT_USERNAME: optional(text),
    GIT_TOKEN: optional(text, { secret: true }),
    GIT_SSH_KEY_FILE: optional(parsePath(folder)),
    GIT_KNOWN_HOSTS_FILE: optional(parsePath(folder)),
    GIT_VERIFY_SIGNERS: optional(parsePath(folder)),
    GIT_VERIFY_KEYRING: optional(parsePath(folder)),
    GIT_PRUNE_LIMIT: variable(parsePruneLimit, "50%"),
    GIT_ALLOW_HOSTS: variable(parseList(parseGitHost), ""),
    NOTIFY_ALLOW_HOSTS: variable(parseList(parseGitHost), ""),
    PREVIEW_RETENTION: variable(parseDurationOrNone, "7d"),
    RETENTION: variable(parsePositiveDuration, "30d"),
    ACCOUNT_MAX_FUNCTIONS: variable(parseInteger(1, 100_000), "5000"),
    WRANGLER_ENV: optional(text),
    CLOUDFLARE_ENV: optional(text),
    WEBHOOK_SECRET: optional(text, { secret: true }),
    ENCRYPTION_KEY: optional(parseKey, { secret: true }),
    ADMIN_TOKEN: variable(parseOnOff, "on", { secret: true }),
    JWT_SECRET: optional(parseSigningSecret, { secret: true }),
    OIDC_ISSUER: optional(parseProviderUrl),
    OIDC_CLIENT_ID: optional(text),
    OIDC_CLIENT_SECRET: optional(text, { secret: true }),
    OIDC_REDIRECT_URI: optional(parseProviderUrl),
    OIDC_AUTHORIZATION_ENDPOINT: optional(parseProviderUrl),
    OIDC_TOKEN_ENDPOINT: optional(parseProviderUrl),
    OIDC_USERINFO_ENDPOINT: optional(parseProviderUrl),
    OIDC_JWKS_URI: optional(parseProviderUrl),
    OIDC_ALLOW: variable(parsePersonRules, ""),
    OIDC_ADMINS: variable(parsePersonRules, ""),
    OIDC_CI_RULES: variable(parseCiRules, ""),
    OIDC_REDIRECTS: variable(parseList(parseClientRedirect), ""),
    EGRESS_ALLOW: variable(parseList(parseEgress), "public"),
    EGRESS_DENY: variable(parseList(parseNetwork), ""),
    EGRESS_PRIVATE: variable(parseList(parseFunctionPattern), ""),
    RUNTIME_MAX_ISOLATES: variable(parseInteger(1, 4000), "1000"),
    RUNTIME_HANG_TIMEOUT: variable(parsePositiveDuration, "3s"),
    RUNTIME_MEMORY_LIMIT: variable(parseMemory(memory), "75%"),
    D1_BACKUP_INTERVAL: variable(parseDurationOrNone, "24h"),
    D1_MAX_SIZE: variable(parseSize(2 ** 20, 2 ** 40), "10GiB"),
    LOG_RETENTION: variable(parsePositiveDuration, "3d"),
    LOG_LEVEL: variable(parseOneOf("trace", "debug", "info", "warn", "error", "fatal", "silent"), "info"),
    LOG_FORMAT: variable(parseOneOf("pretty", "json"), terminal ? "pretty" : "json"),
  };
}

type Values = {
  [K in keyof ReturnType<typeof variablesOf>]: Exclude<
    ReturnType<ReturnType<typeof variablesOf>[K]["parse"]> | UnsetOf<ReturnType<typeof variablesOf>[K]>,
    Expected
  >;
};
type UnsetOf<V> = V extends { fallback: string } ? never : undefined;

/** Names and default texts of all variables, for the test of `.env.example`. */
export function documentedVariables(): Record<string, string> {
  const variables: Record<string, Variable<unknown>> = variablesOf({ folder: "/", memory: 0, terminal: true });
  return Object.fromEntries(Object.entries(variables).map(([name, { fallback }]) => [name, fallback ?? ""]));
}

/** The configuration of this process. Throws as `parseConfig` does. */
export function readConfig(): ProcessConfig {
  const total = totalmem();
  const constrained = constrainedMemory() || total;
  const config = parseConfig(process.env, {
    folder: cwd(),
    memory: Math.min(total, constrained),
    terminal: stdout.isTTY === true,
  });
  return { ...config, environment: process.env };
}

/**
 * The configuration that these variables describe. An empty value counts as unset. Every wrong variable is named in one
 * error.
 * @throws WrkstError ERR_CONFIG
 */
export function parseConfig(env: Environment, surroundings: Surroundings): Config {
  const { values, faults, hints } = parseValues(env, surroundings);
  faults.push(...contradictions(env, values, hints));
  if (faults.length) throw configError(faults, hints);
  const v = values as Values;
  return {
    host: v.HOST,
    port: v.PORT,
    baseDomain: v.BASE_DOMAIN,
    publicUrl: v.PUBLIC_URL ?? defaultPublicUrl(v.BASE_DOMAIN, v.PORT),
    adminListen: v.ADMIN_LISTEN,
    trustedProxies: v.TRUSTED_PROXIES,
    useForwardedHost: v.USE_FORWARDED_HOST,
    dataDir: v.DATA_DIR,
    git: gitConfig(v),
    previewRetention: v.PREVIEW_RETENTION,
    retention: v.RETENTION,
    maxFunctions: v.ACCOUNT_MAX_FUNCTIONS,
    wranglerEnv: v.WRANGLER_ENV ?? v.CLOUDFLARE_ENV,
    webhookSecret: v.WEBHOOK_SECRET,
    encryptionKey: v.ENCRYPTION_KEY,
    adminToken: v.ADMIN_TOKEN,
    access: accessSettings(v),
    notifyAllowHosts: v.NOTIFY_ALLOW_HOSTS,
    egress: { allow: v.EGRESS_ALLOW, deny: v.EGRESS_DENY, private: v.EGRESS_PRIVATE },
    runtime: {
      maxIsolates: v.RUNTIME_MAX_ISOLATES,
      hangTimeout: v.RUNTIME_HANG_TIMEOUT,
      memoryLimit: v.RUNTIME_MEMORY_LIMIT,
    },
    log: { level: v.LOG_LEVEL, format: v.LOG_FORMAT },
    logRetention: v.LOG_RETENTION,
    databases: { backupInterval: v.D1_BACKUP_INTERVAL, maxSize: v.D1_MAX_SIZE },
    warnings: warningsOf(v),
  };
}

/** What `PUBLIC_URL` is when nobody says. Also for whoever learns the real port later, with `PORT=0`. */
export function defaultPublicUrl(baseDomain: string, port: number): string {
  return port === 80 ? `http://${baseDomain}` : `http://${baseDomain}:${port}`;
}

function parseValues(env: Environment, surroundings: Surroundings) {
  const variables: Record<string, Variable<unknown>> = variablesOf(surroundings);
  const values: Record<string, unknown> = {};
  const faults: string[] = [];
  const hints: string[] = [];
  for (const [name, { parse, fallback, secret }] of Object.entries(variables)) {
    const given = env[name]?.trim();
    const raw = given || fallback;
    const value = raw === undefined ? undefined : parse(raw);
    if (value instanceof Expected) {
      faults.push(`${name}: expected ${value.what}, received ${secret ? "something else (not shown)" : `"${raw}"`}`);
      if (value.hint) hints.push(value.hint);
    } else values[name] = value;
  }
  return { values: values as Partial<Values>, faults, hints };
}

/** What is wrong though each variable by itself is fine. */
function contradictions(env: Environment, values: Partial<Values>, hints: string[]): string[] {
  const faults: string[] = [];
  if (values.GIT_REPO && isSshRepository(values.GIT_REPO) && !values.GIT_KNOWN_HOSTS_FILE) {
    faults.push("GIT_KNOWN_HOSTS_FILE: expected a file with the host keys of GIT_REPO, received nothing");
    hints.push('write one with "ssh-keyscan <host> > known_hosts" and compare its keys with those the host publishes');
  }
  if (values.GIT_TAGS !== undefined && env.GIT_BRANCH?.trim()) {
    faults.push("GIT_TAGS: expected either a branch or a range of tags, received GIT_BRANCH as well");
  }
  return [...faults, ...loginContradictions(env, values)];
}

/** The four endpoints replace discovery together, and cookies of a login need https or loopback. */
function loginContradictions(env: Environment, v: Partial<Values>): string[] {
  const faults: string[] = [];
  const endpoints = [v.OIDC_AUTHORIZATION_ENDPOINT, v.OIDC_TOKEN_ENDPOINT, v.OIDC_USERINFO_ENDPOINT, v.OIDC_JWKS_URI];
  const given = endpoints.filter((endpoint) => endpoint !== undefined);
  if (given.length % endpoints.length) {
    const names = "OIDC_AUTHORIZATION_ENDPOINT, OIDC_TOKEN_ENDPOINT, OIDC_USERINFO_ENDPOINT, OIDC_JWKS_URI";
    faults.push(`${names}: expected all four or none, received ${given.length}`);
  }
  if (!env.OIDC_ISSUER?.trim() && (v.OIDC_CLIENT_ID || given.length)) {
    faults.push("OIDC_ISSUER: expected the address that ID tokens name as their issuer, received nothing");
  }
  if (v.OIDC_ISSUER && !v.OIDC_CLIENT_ID) faults.push("OIDC_CLIENT_ID: expected the id of a client, received nothing");
  if (v.OIDC_REDIRECT_URI && !v.OIDC_REDIRECT_URI.endsWith("/auth/callback")) {
    faults.push(
      `OIDC_REDIRECT_URI: expected an address that ends in "/auth/callback", received "${v.OIDC_REDIRECT_URI}"`,
    );
  }
  const url = v.PUBLIC_URL ?? (v.BASE_DOMAIN && v.PORT !== undefined ? defaultPublicUrl(v.BASE_DOMAIN, v.PORT) : "");
  if (v.OIDC_ISSUER && url && !url.startsWith("https:") && !isLoopbackUrl(url)) {
    faults.push(`PUBLIC_URL: expected an https address, since OIDC_ISSUER is set, received "${url}"`);
  }
  return faults;
}

function accessSettings(v: Values): AccessSettings {
  return {
    provider: providerSettings(v),
    allow: v.OIDC_ALLOW,
    admins: v.OIDC_ADMINS,
    jwtSecret: v.JWT_SECRET,
    ciRules: v.OIDC_CI_RULES,
    redirects: v.OIDC_REDIRECTS,
  };
}

function providerSettings(v: Values): AccessSettings["provider"] {
  const { OIDC_ISSUER: issuer, OIDC_CLIENT_ID: clientId, OIDC_JWKS_URI: jwks } = v;
  if (!issuer || !clientId) return undefined;
  const authorization = v.OIDC_AUTHORIZATION_ENDPOINT ?? "";
  const endpoints = { authorization, token: v.OIDC_TOKEN_ENDPOINT ?? "", userinfo: v.OIDC_USERINFO_ENDPOINT ?? "" };
  return {
    issuer,
    clientId,
    clientSecret: v.OIDC_CLIENT_SECRET,
    redirectUri: v.OIDC_REDIRECT_URI,
    endpoints: jwks === undefined ? undefined : { ...endpoints, jwks },
  };
}

function configError(faults: string[], hints: string[]): WrkstError {
  const message =
    faults.length === 1 ? `${faults[0]}` : `${faults.length} settings are wrong:\n  ${faults.join("\n  ")}`;
  const hint = [...new Set(hints), 'every variable is described in ".env.example"'].join("; ");
  return new WrkstError("ERR_CONFIG", message, { hint });
}

function gitConfig(v: Values): GitConfig {
  return {
    repo: v.GIT_REPO,
    branch: v.GIT_BRANCH,
    tags: v.GIT_TAGS,
    path: v.GIT_PATH,
    previews: v.GIT_PREVIEWS ?? (v.GIT_REPO === undefined ? ["**"] : []),
    pollInterval: v.GIT_POLL_INTERVAL,
    token: v.GIT_TOKEN,
    username: v.GIT_USERNAME,
    sshKeyFile: v.GIT_SSH_KEY_FILE,
    knownHostsFile: v.GIT_KNOWN_HOSTS_FILE,
    verifySignersFile: v.GIT_VERIFY_SIGNERS,
    verifyKeyringFile: v.GIT_VERIFY_KEYRING,
    pruneLimit: v.GIT_PRUNE_LIMIT,
    allowHosts: v.GIT_ALLOW_HOSTS,
  };
}

function warningsOf(v: Values): string[] {
  const networks = v.EGRESS_ALLOW.some((network) => network !== "public");
  const checks: [boolean, string][] = [
    [
      !v.EGRESS_ALLOW.includes("public"),
      'EGRESS_ALLOW does not list "public", yet the public internet stays reachable: a function keeps off it with egress = "none"',
    ],
    [
      networks && !v.EGRESS_PRIVATE.length,
      "EGRESS_ALLOW lists networks that no function may use: EGRESS_PRIVATE is empty",
    ],
    [!networks && v.EGRESS_PRIVATE.length > 0, "EGRESS_PRIVATE has no effect: EGRESS_ALLOW lists no private network"],
    [(v.WEBHOOK_SECRET?.length ?? 16) < 16, "WEBHOOK_SECRET is short and can be guessed: use 16 characters or more"],
    [
      Boolean(v.WRANGLER_ENV && v.CLOUDFLARE_ENV && v.WRANGLER_ENV !== v.CLOUDFLARE_ENV),
      "CLOUDFLARE_ENV has no effect: WRANGLER_ENV is set to something else",
    ],
    [
      Boolean(v.OIDC_ISSUER && !v.OIDC_ALLOW.length && !v.OIDC_ADMINS.length),
      "nobody may log in: OIDC_ALLOW and OIDC_ADMINS are empty",
    ],
    [
      Boolean(!v.OIDC_ISSUER && (v.OIDC_ALLOW.length || v.OIDC_ADMINS.length)),
      "OIDC_ALLOW and OIDC_ADMINS have no effect: OIDC_ISSUER is not set",
    ],
    [Boolean(v.GIT_TOKEN && v.GIT_REPO?.startsWith("http://")), "GIT_TOKEN travels unencrypted: GIT_REPO is not https"],
  ];
  return checks.filter(([holds]) => holds).map(([, sentence]) => sentence);
}
