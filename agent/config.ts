// The settings of the platform, made of the variables that describe them. The only file that names process.env.

import { totalmem } from "node:os";
import { constrainedMemory, cwd, stdout } from "node:process";
import { contradictions, warningsOf } from "./config-contradictions.js";
import type { ListenAddress, PruneLimit } from "./config-values.js";
import {
  defaultPublicUrl,
  documentedVariables,
  type Environment,
  parseValues,
  type Surroundings,
  type Values,
} from "./config-variables.js";
import { WrkstError } from "./errors.js";
import type { AccessSettings } from "./model-access.js";

export type { Environment, ListenAddress, PruneLimit };
export { defaultPublicUrl, documentedVariables };

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
