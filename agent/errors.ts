// The one error type of the platform and the table that says how each code behaves. Pure.

/** What the reconcile loop does after an error of a code: try again with backoff, wait for a change, or give the work up. */
export type Retry = "backoff" | "on-change" | "never";

interface Behaviour {
  /** HTTP status when the error ends an API request. */
  status: number;
  retry: Retry;
}

const BEHAVIOUR = {
  ERR_CONFIG: { status: 500, retry: "never" },
  ERR_DATA_DIR_LOCKED: { status: 500, retry: "never" },
  ERR_UNAUTHORIZED: { status: 401, retry: "never" },
  ERR_FORBIDDEN: { status: 403, retry: "never" },
  ERR_INVALID: { status: 400, retry: "never" },
  ERR_NOT_FOUND: { status: 404, retry: "never" },
  /** No route of the API has that path and method. */
  ERR_NO_ROUTE: { status: 404, retry: "never" },
  ERR_CONFLICT: { status: 409, retry: "never" },
  /** An `Idempotency-Key` that was used for another request. */
  ERR_KEY_REUSED: { status: 422, retry: "never" },
  ERR_TOO_LARGE: { status: 413, retry: "never" },
  ERR_RATE_LIMITED: { status: 429, retry: "never" },
  ERR_TIMEOUT: { status: 504, retry: "backoff" },
  ERR_SUPERSEDED: { status: 409, retry: "never" },
  ERR_INTERNAL: { status: 500, retry: "backoff" },
  /** The repository cannot be reached, or the transfer broke. */
  ERR_GIT_UNREACHABLE: { status: 502, retry: "backoff" },
  /** The forge refused the credentials. */
  ERR_GIT_AUTH: { status: 502, retry: "on-change" },
  /** The followed branch does not exist (yet, or any more). */
  ERR_GIT_NO_BRANCH: { status: 404, retry: "on-change" },
  /** git said something else went wrong. */
  ERR_GIT: { status: 502, retry: "backoff" },
  /** The followed commit or tag is not signed by anybody who may. */
  ERR_GIT_UNVERIFIED: { status: 422, retry: "on-change" },
  /** A source or function is suspended by a person. */
  ERR_SUSPENDED: { status: 409, retry: "never" },
  /** A URL, ref or path that is refused by grammar. */
  ERR_GIT_REFUSED: { status: 400, retry: "on-change" },
  /** A tree entry that is never read: link, submodule, odd name, LFS pointer, over a limit. */
  ERR_TREE_REFUSED: { status: 422, retry: "on-change" },
  /** A wrangler file that cannot be read or says something wrong. */
  ERR_MANIFEST: { status: 422, retry: "on-change" },
  /** A binding that is known to wrangler and not supported here. */
  ERR_BINDING_UNSUPPORTED: { status: 422, retry: "on-change" },
  ERR_NAME_TAKEN: { status: 409, retry: "on-change" },
  /** The bundler's refusal: syntax, missing import, a path outside the tree. */
  ERR_BUNDLE: { status: 422, retry: "on-change" },
  /** Time, memory or size of a bundle. */
  ERR_BUNDLE_LIMIT: { status: 422, retry: "on-change" },
  /** Dependencies that cannot be installed: no lockfile, a refused entry, a failed install. */
  ERR_INSTALL: { status: 422, retry: "on-change" },
  /** The registry of packages did not answer. */
  ERR_INSTALL_UNREACHABLE: { status: 502, retry: "backoff" },
  /** The version does not load: syntax, throw at top level, endless loop, memory. */
  ERR_LOAD: { status: 422, retry: "on-change" },
  ERR_HEALTH: { status: 422, retry: "on-change" },
  /** Stored bytes do not have the digest of their name. */
  ERR_ARTIFACT_CORRUPT: { status: 500, retry: "backoff" },
  ERR_STORE: { status: 500, retry: "backoff" },
  /** workerd does not run, does not answer, or refused a message. */
  ERR_RUNTIME: { status: 503, retry: "backoff" },
  /** More functions would be removed than GIT_PRUNE_LIMIT allows. */
  ERR_PRUNE_LIMIT: { status: 409, retry: "on-change" },
  ERR_WEBHOOK_SIGNATURE: { status: 401, retry: "never" },
  /** No version of the function has that id, prefix, commit, alias or tag, or several have. */
  ERR_VERSION_NOT_FOUND: { status: 404, retry: "never" },
  ERR_SECRET_NOT_FOUND: { status: 404, retry: "never" },
  /** Git declares the function: what serves is moved by a push, or by force. */
  ERR_GIT_OWNED: { status: 409, retry: "never" },
  /** A binding is to be taken from the version before, which has none of that name. */
  ERR_INHERIT: { status: 400, retry: "never" },
  /** The traffic is divided, so that it is not clear which version is meant. */
  ERR_SPLIT: { status: 409, retry: "never" },
  /** A secret has the name that another binding is to have: one of them would be gone without a word. */
  ERR_BINDING_TAKEN: { status: 409, retry: "on-change" },
  /** Secrets differ from those of the version that serves. */
  ERR_SECRETS_CHANGED: { status: 409, retry: "never" },
  /** The OpenID provider, or a CI issuer, does not answer, or not as it must. */
  ERR_LOGIN_PROVIDER: { status: 502, retry: "never" },
  ERR_DATABASE_NOT_FOUND: { status: 404, retry: "never" },
  /** What SQLite, or a limit of databases, says about a statement. */
  ERR_SQL: { status: 400, retry: "never" },
  /** A migration failed; the database is as it was before that file. */
  ERR_MIGRATION: { status: 422, retry: "on-change" },
  /** A route of Cloudflare's that is not served here. */
  ERR_UNSUPPORTED: { status: 501, retry: "never" },
} as const satisfies Record<string, Behaviour>;

export type ErrorCode = keyof typeof BEHAVIOUR;

/** A place in a file of a repository; line and column count from 1. */
export interface Position {
  file: string;
  line?: number;
  column?: number;
}

export interface ErrorDetails {
  hint?: string | undefined;
  position?: Position | undefined;
  cause?: unknown;
}

/**
 * Every failure that the platform foresees. `message` is lower case, without full stop, names in quotes, expected then
 * received; `hint` is something to do, if possible a command. Programming mistakes are `TypeError`s instead.
 */
export class WrkstError extends Error {
  override readonly name = "WrkstError";
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly position: Position | undefined;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.hint = details.hint;
    this.position = details.position;
  }
}

export function behaviourOf(code: ErrorCode): Behaviour {
  return BEHAVIOUR[code];
}

/** The error as it is stored, sent and shown: plain data, without stack. */
export interface ErrorReport {
  code: ErrorCode;
  message: string;
  hint?: string;
  position?: Position;
}

/** Any thrown value as a report; what is not a `WrkstError` becomes `ERR_INTERNAL` with its message. */
export function reportOf(thrown: unknown): ErrorReport {
  if (!(thrown instanceof WrkstError)) {
    return { code: "ERR_INTERNAL", message: thrown instanceof Error ? thrown.message : String(thrown) };
  }
  return {
    code: thrown.code,
    message: thrown.message,
    ...(thrown.hint === undefined ? {} : { hint: thrown.hint }),
    ...(thrown.position === undefined ? {} : { position: thrown.position }),
  };
}

/** `file:line:column`, as far as known. */
export function formatPosition({ file, line, column }: Position): string {
  return [file, line, line === undefined ? undefined : column].filter((part) => part !== undefined).join(":");
}

/** One line for people: `functions/a/index.ts:1:2: message`. The hint is shown apart. */
export function formatError(error: ErrorReport): string {
  return error.position ? `${formatPosition(error.position)}: ${error.message}` : error.message;
}
