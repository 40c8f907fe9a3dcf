// The contract between agent (Node) and runtime (workerd): route table, control messages, header names.
// Types, constants and one pure function; type-checks under both. A change here is a change of both sides in one commit.
// What concerns databases is in d1/wire.ts.
import type { D1Settings } from "./d1/wire.js";

/** Kinds of modules that the loader takes. `esm` is an ES module. */
export type ModuleKind = "esm" | "cjs" | "text" | "data" | "json" | "wasm";

/**
 * Header of an artifact. The file is: 4 bytes magic "WRK1", 4 bytes length of the header (big endian), the header as
 * UTF-8 JSON, then the bytes of the modules, one after the other, at `offset` (counted from the end of the header).
 */
export interface ArtifactHeader {
  main: string;
  modules: { name: string; kind: ModuleKind; offset: number; length: number }[];
}
export const ARTIFACT_MAGIC = "WRK1";

/** All that the runtime must know to load a version; the code itself is read from the store by digest. */
export interface VersionSpec {
  /** UUID of the version. */
  id: string;
  /** `<64 hex>` of the artifact, without `sha256:`; stored at `artifacts/<first two>/<hex>`. */
  artifact: string;
  compatibilityDate: string;
  compatibilityFlags: string[];
  /** Strings and JSON values, by name, as they appear in `env`. */
  vars: Record<string, unknown>;
  /** Exports that are entry points ("default" and named), as the load check found them. */
  entrypoints: string[];
  /** Outbound service of the function: none, the public internet, or the public internet and `EGRESS_ALLOW`. */
  egress: "none" | "public" | "private";
  /** Raised when something outside the version's identity changed (a secret): part of the loader id. */
  generation: number;
  secrets?: SealedValues;
  /** Databases: binding → name of the object that holds it (`objectName` of d1/wire.ts), or why there is none. `D1` is always
   * among them. Absent: no binding exists. Versions with other databases are never the same isolate. */
  databases?: Record<string, string | RefusedDatabase>;
  /** The preview that it is loaded for: the same version in another preview, or in production, is another isolate. */
  preview?: string;
}

/** A binding without a database: every query answers this sentence. */
export interface RefusedDatabase {
  refused: string;
}

/**
 * Secrets as they are kept and as they travel: each value is base64url of 12 bytes nonce, the AES-256-GCM ciphertext and its
 * 16 bytes tag, with `sealedFor(owner, name)` as additional data. Whoever has the key opens them when the version is loaded.
 */
export interface SealedValues {
  /** Id of the function. */
  owner: string;
  /** By name in `env`. */
  values: Record<string, string>;
}
/** Additional data of a secret: its bytes open nowhere but in the function and under the name that they were sealed for. */
export function sealedFor(owner: string, name: string): string {
  return `wrkst-secret-1\0${owner}\0${name}`;
}
/** Variable of the serving process that holds the key, base64 of 32 bytes; never in a file that workerd reads. */
export const SECRETS_KEY_VARIABLE = "WRKST_SECRETS_KEY";

/** One function as the router knows it. */
export interface RouteEntry {
  /** What `<function>.<base>` serves; null while nothing ever loaded. */
  latest: string | null;
  /** Versions that share the traffic of `latest` and of custom hosts, ordered by id; percentages sum to 100. Absent: `latest` has all. */
  split?: { version: string; percentage: number }[];
  /** Alias name → key in `versions`. Does not contain `latest`. */
  aliases: Record<string, string>;
  /** Commits of previews, 40 hex → key in `versions`. */
  commits?: Record<string, string>;
  /** Versions reachable by id prefix, commit or alias, `latest` included; by id, or, for previews, by another key. */
  versions: Record<string, VersionSpec>;
  /** Which version the function had from a deployed revision on: sequence number of the revision → version id, or null
   * where the function did not exist or had failed. Ascending by `seq`. */
  history: { seq: number; version: string | null }[];
  /** Exact custom hosts, lower case, that lead to `latest`. */
  hosts: string[];
  /** `workers_dev = false`: `<function>.<base>` leads nowhere, only custom hosts and labels do. */
  offBase?: true;
  /** Versions of which figures are kept, and which stay loaded: the one that serves, and, while another is on trial, the one
   * before it. Absent: nothing is watched. */
  watched?: string[];
  /** Why requests are answered 503 instead of reaching the function. */
  blocked?: "suspended" | "quarantined";
}

/** A deployed revision, for hosts by commit prefix. `seq` ascends with time. */
export interface RevisionRef {
  seq: number;
  /** 40 hex. */
  commit: string;
}

/** All that the router serves. Written to `routes/table.json`, read by the router when it starts. */
export interface RouteTable {
  /** Ascends with every change; never goes back, also not over restarts. */
  generation: number;
  functions: Record<string, RouteEntry>;
  revisions: RevisionRef[];
}

/** One atomic change of the table. A function whose value is null is removed. */
export interface RouteChange {
  /** Generation that the change starts from; any other answers 409 and the agent sends the whole table. */
  from: number;
  to: number;
  functions: Record<string, RouteEntry | null>;
  /** Revisions to add; the router keeps the newest `MAX_REVISIONS`. */
  revisions: RevisionRef[];
}
export const MAX_REVISIONS = 1000;

/** Control calls, on the unix socket `control.sock`, JSON both ways. Paths below; all POST but the first two. */
export const CONTROL = {
  /** GET → RuntimeState. The watchdog's ping. */
  state: "/state",
  /** GET → RuntimeCounts. */
  counts: "/counts",
  /** FiguresRequest → RuntimeFigures. */
  figures: "/figures",
  /** RouteChange → { generation }. 409 with { generation } when `from` does not fit. */
  change: "/change",
  /** RouteTable → { generation }. Replaces everything in one step. */
  replace: "/replace",
  /** PrepareRequest → PrepareResult: loads versions before they are routed, and asks health paths. */
  prepare: "/prepare",
  /** TraceRequest → {}: synchronous reports of entry and exit on stdout, see TRACE_PREFIX. */
  trace: "/trace",
  /** WardsRequest → {}: from now on requests of these functions go to the processes for suspects, all others are served here. */
  wards: "/wards",
  /** { functions: string[] } → {}: drops the isolates of these functions, the next request loads them afresh. */
  evict: "/evict",
  /** TailRequest → TailLine, one JSON value per line (some lines are empty), until either side ends it: then nothing is
   * listened to. A new call ends the one before. */
  tail: "/tail",
  /** TailRequest → {}: from now on these functions are listened to instead. */
  listen: "/listen",
} as const;

export interface RuntimeState {
  generation: number;
  /** Isolates believed to be loaded. */
  isolates: number;
  evictions: number;
  coldLoads: number;
  functions: number;
  /** Requests to functions since the start. */
  requests: number;
}

/** What was counted since the start of the process. */
export interface RuntimeCounts {
  /** Of this process alone: numbers of another one begin at zero. */
  process: string;
  isolates: number;
  evictions: number;
  coldLoads: number;
  /** Answers by function, by the first digit of their status from 1xx to 5xx; UNNAMED for those beyond a limit. */
  functions: Record<string, number[]>;
  /** How many answers of functions took up to ANSWER_BUCKETS[i] milliseconds until their body began; the last one had no bound. */
  buckets: number[];
  /** All that time. */
  milliseconds: number;
}
/** No function has this name. */
export const UNNAMED = "_other";

/** Milliseconds: bounds of RuntimeCounts. */
export const ANSWER_BUCKETS = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000];

/** Of the requests to one version that were answered, by it or, where it could not, in its stead. */
export interface Figures {
  requests: number;
  /** Answers of 500 and above, exceptions, isolates that died or did not load, and what has no answer after 30 to 60 seconds. */
  failures: number;
  /** How many took up to FIGURE_BUCKETS[i] milliseconds until their body began; the last one had no bound. */
  buckets: number[];
}

/** Milliseconds: each bound is at most twice, and from 2 on at most one and a half times the one before. */
export const FIGURE_BUCKETS = [
  1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1_024, 1_536, 2_048, 3_072, 4_096, 6_144,
  8_192, 12_288, 16_384, 24_576, 32_768,
];

export interface FiguresRequest {
  functions: string[];
}

/** Of this process alone. */
export interface RuntimeFigures {
  /** As in RuntimeCounts. */
  process: string;
  /** Function → version → figures since it is watched, and those of its last requests (one to two thousand). */
  functions: Record<string, Record<string, { total: Figures; recent: Figures }>>;
}

export interface PrepareRequest {
  versions: { function: string; spec: VersionSpec; health?: string | undefined }[];
}
export interface PrepareResult {
  /** By version id: null when fine, otherwise what went wrong. */
  versions: Record<string, { kind: "load" | "health"; message: string } | null>;
}

/** Processes for suspects that the router can hand requests to, as its bindings `WARD_0` and so on. */
export const WARDS = 4;
/** What the router knows of the connection travels to a ward in this header; stripped from what comes in. */
export const WARD_HEADER = "x-wrkst-cf";
export interface WardsRequest {
  /** Function → number of its ward. */
  functions: Record<string, number>;
}

export interface TraceRequest {
  /** Otherwise only the agent's own statements are told, since the watchdog waits longer for them. */
  on: boolean;
  /** Secret of this process, repeated in every line: functions write to the same stdout and would forge lines otherwise. */
  key: string;
}

/** Functions of which every invocation is told, which costs them a fresh isolate now and a good part of their speed from then on.
 * What all others throw is told as well, as far as it reaches the router. */
export interface TailRequest {
  functions: string[];
}

/** `function` and `version` are the router's word, never the function's. All else may be whatever a function made of it. */
export type TailLine =
  | { kind: "invocation"; function: string; version: string; invocation: Invocation }
  | { kind: "threw"; function: string; version: string; request: string; asked?: Asked; exception: Exception }
  /** So many lines of the function found no room. */
  | { kind: "lost"; function: string; count: number };

/** What was asked for: the path without its query, which may hold what is nobody's business. */
export interface Asked {
  method: string;
  path: string;
}

/** Times are milliseconds, those of a day since 1970. */
export interface Invocation {
  outcome: string;
  at: number;
  logs: { level: string; timestamp: number; message: unknown[] }[];
  exceptions: Exception[];
  /** null: not a request. Headers that hold credentials are hidden already. */
  event: {
    request: { url: string; method: string; headers: Record<string, string>; cf: unknown };
    response?: { status: number };
  } | null;
  /** Logs beyond 256 KiB are cut off. */
  truncated?: true;
  /** As in HEADER.requestId. */
  request?: string;
  /** Until the function answered. */
  wallTime?: number;
}

export interface Exception {
  name: string;
  message: string;
  timestamp: number;
  /** Lines ` at … (module:line:column)`. */
  stack?: string;
}

/** Lines that the router writes to stdout while tracing: `wrkst-trace ` + JSON of a TraceLine. One per entry and exit. */
export const TRACE_PREFIX = "wrkst-trace ";
/** `enter` before anything of the function runs (also its load), `exit` when nothing of the request can run any more. */
export type TraceLine =
  | { key: string; enter: string }
  | { key: string; exit: string }
  /** Functions of which one sent the statements that run now, none where the agent did, null when they are over. Nothing
   * else runs between. */
  | { key: string; statement: string[] | null };

/** Lines that the router writes to stderr for the agent's log: `wrkst-log ` + JSON of a LogLine. Functions can write such lines too. */
export const LOG_PREFIX = "wrkst-log ";
export interface LogLine {
  event:
    | "function.threw"
    | "function.load-failed"
    | "routes.unreadable"
    | "agent.unreachable"
    | "ward.unreachable"
    | "d1.slow-query";
  /** Name of the object of a database. */
  object?: string;
  function?: string;
  version?: string;
  request?: string;
  message: string;
}

/** Checker: POST /check, body = JSON of CheckRequest and then the bytes of the artifact, header below = bytes of the JSON → CheckResult. */
export const CHECK_PATH = "/check";
export const CHECK_HEADER = "x-wrkst-check";
export interface CheckRequest {
  compatibilityDate: string;
  compatibilityFlags: string[];
  vars: Record<string, unknown>;
  /** In clear, for this one check. */
  secrets?: Record<string, string>;
  /** Names of the bindings; in a check every database answers that there is none yet. */
  databases?: string[];
}
export type CheckResult =
  | { ok: true; entrypoints: string[]; milliseconds: number }
  /** `message` as workerd words it, with the stack's `name:line:column` places in terms of the artifact's modules. */
  | { ok: false; message: string; hint?: string };

/** Modules of ours inside every isolate; refused as names of a function's modules, and never selectable from outside. */
export const RESERVED_MODULES = ["__wrkst_entry.js", "__wrkst_prelude.js"];
export const HOST_ENTRYPOINT = "__WrkstHost";
/** Var, secret and binding names that begin with this are refused. */
export const RESERVED_PREFIX = "__wrkst";

/** Set by the router on requests to agent and functions; stripped from what comes in. */
export const HEADER = {
  clientIp: "cf-connecting-ip",
  requestId: "x-request-id",
} as const;

/** Bindings of the router worker. */
export interface RouterSettings {
  baseDomain: string;
  /** Hosts of the API, lower case, without port: BASE_DOMAIN and the host of PUBLIC_URL. */
  apiHosts: string[];
  useForwardedHost: boolean;
  /** CIDRs. */
  trustedProxies: string[];
  maxIsolates: number;
  d1: D1Settings;
  /** WardsRequest from the start on. */
  wards?: Record<string, number>;
  /** Present: traces from the very first request on, with this key in every line (see TraceRequest). */
  traceKey?: string;
}
