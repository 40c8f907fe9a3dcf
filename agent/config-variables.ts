// Every variable: its name, how its text is read, what it is when nobody says. Pure.

import {
  parseCiRules,
  parseClientRedirect,
  parsePersonRules,
  parseProviderUrl,
  parseSigningSecret,
} from "./config-access.js";
import {
  Expected,
  type Parse,
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

/** A value per variable; `undefined` where it is not set and has no default. */
export type Values = {
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

/** The values of what could be read, and what was wrong with the rest: sentences, and hints where there are any. */
export function parseValues(env: Environment, surroundings: Surroundings) {
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

/** What `PUBLIC_URL` is when nobody says. Also for whoever learns the real port later, with `PORT=0`. */
export function defaultPublicUrl(baseDomain: string, port: number): string {
  return port === 80 ? `http://${baseDomain}` : `http://${baseDomain}:${port}`;
}
