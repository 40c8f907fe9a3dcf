// The words of what functions say: live tails and kept lines. Types only; model.ts hands them on.

import type { Position } from "./errors.js";

/** One invocation of a function as a live tail sends it: the shape of Cloudflare's `trace-v1`, with fields of ours. */
export interface TailEvent {
  scriptName: string;
  scriptVersion: { id: string };
  outcome: string;
  /** Milliseconds since 1970, as all times in it. */
  eventTimestamp: number;
  event: TailedRequest | TailNotice | null;
  logs: { level: string; timestamp: number; message: unknown[] }[];
  exceptions: TailedException[];
  /** Id on the error page that the client got. */
  requestId?: string;
  /** Milliseconds until the function answered. */
  wallTime?: number;
  /** Logs were too long and are cut off. */
  truncated?: true;
}

export interface TailedRequest {
  request: { url: string; method: string; headers: Record<string, string>; cf: unknown };
  response?: { status: number };
}

/** Events were left out, or are no longer. */
export interface TailNotice {
  type: "overload" | "overload-stop";
  message: string;
}

export interface TailedException {
  name: string;
  message: string;
  timestamp: number;
  /** Frames, with places in the sources where a source map knows them. */
  stack?: string;
  /** Where it was thrown, as far as a source map knows. */
  position?: Position;
}

/** A kept line: what a function threw, or said while it is observed. */
export interface KeptLog {
  id: number;
  /** Milliseconds since 1970. */
  at: number;
  kind: "exception" | "log";
  level: string;
  message: string;
  version: string;
  /** Of an exception. */
  stack?: string;
  position?: Position;
  /** Id of the request, and what was asked for. */
  request?: string;
  method?: string;
  path?: string;
}
