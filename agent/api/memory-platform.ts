// A platform in memory, for tests of what stands in front of one: the API and the command line.

import { WrkstError } from "../errors.js";
import type { BoundDatabase, FunctionDiff, FunctionStatus, PassReport, PlatformEvent, SourceStatus } from "../model.js";
import type { FunctionDetail, Job, Platform, SyncRequest } from "./platform.js";

export interface MemoryPlatform extends Platform {
  /** Every sync that was asked for. */
  syncs: ({ source: string } & SyncRequest)[];
  functionList: FunctionStatus[];
  sourceList: SourceStatus[];
  /** What the next passes answer. */
  outcome: PassReport;
  reasons: string[];
  eventList: PlatformEvent[];
  calls: string[];
}

const COMMIT = "3f2a91c0".padEnd(40, "d");

const OWN: BoundDatabase = { binding: "D1", id: "1f0e", name: "hello-d1" };
const CUT_OFF: BoundDatabase = { binding: "DB", id: "2f0e", name: "shop", problem: 'the database "shop" was removed' };

const FUNCTION_DIFF: FunctionDiff = {
  ...{ name: "hello", folder: "hello", change: "update", size: { from: 1200, to: null } },
  configuration: [{ key: "minify", from: false, to: true }],
  bindings: { added: ["GREETING"], removed: [], changed: ["DB"] },
  migrations: [{ database: "shop", pending: ["0002_orders.sql"] }],
};

export function functionStatus(name: string, more: Partial<FunctionStatus> = {}): FunctionStatus {
  return {
    name,
    account: "main",
    source: "default",
    folder: name,
    version: "1a2b3c4d-0000-8000-8000-000000000000",
    revision: `main@sha1:${COMMIT}`,
    state: "ready",
    url: `http://${name}.localhost:8080`,
    updatedAt: "2026-01-01T00:00:00.000Z",
    ...more,
  };
}

export function passReport(more: Partial<PassReport> = {}): PassReport {
  const to = `main@sha1:${COMMIT}`;
  return {
    source: "default",
    from: null,
    to,
    result: "switched",
    functions: [],
    phases: {},
    milliseconds: 12,
    ...more,
  };
}

export function createMemoryPlatform(): MemoryPlatform {
  const jobs = new Map<string, Job>();
  const source: SourceStatus = {
    name: "default",
    repo: "embedded",
    branch: "main",
    path: "",
    revision: `main@sha1:${COMMIT}`,
    state: "ready",
    lastFetch: "2026-01-01T00:00:00.000Z",
  };
  const platform: MemoryPlatform = {
    syncs: [],
    calls: [],
    functionList: [functionStatus("hello", { databases: [OWN, CUT_OFF] }), functionStatus("wasm")],
    sourceList: [source],
    outcome: passReport(),
    reasons: [],
    eventList: [1, 2, 3].map((id) => ({ id, at: id, kind: "source.synced", message: `event ${id}` })),
    runtime: () => ({ state: "running", pid: 1, restarts: 0, isolates: 2 }),
    ready: () => ({ ready: platform.reasons.length === 0, reasons: platform.reasons }),
    sources: () => platform.sourceList,
    async status() {
      return { sources: platform.sourceList, functions: platform.functionList, drift: {}, runtime: platform.runtime() };
    },
    async functions({ source, state }) {
      return platform.functionList
        .filter((entry) => source === undefined || entry.source === source)
        .filter((entry) => state === undefined || entry.state === state);
    },
    async function(name) {
      const entry = platform.functionList.find((candidate) => candidate.name === name);
      return entry && ({ ...entry, deployments: [], versions: [] } satisfies FunctionDetail);
    },
    ownerOf: (name) => platform.functionList.find((entry) => entry.name === name)?.account,
    async events({ after = 0, limit, kinds, source }) {
      const wanted = platform.eventList
        .filter(({ id }) => id > after)
        .filter((event) => (kinds?.includes(event.kind) ?? true) && (source ?? event.source) === event.source);
      const events = wanted.slice(0, limit);
      const [oldest, newest] = [platform.eventList[0]?.id ?? 0, platform.eventList.at(-1)?.id ?? 0];
      return { events, cursor: events.length === limit ? String(events.at(-1)?.id) : null, oldest, newest };
    },
    lastEvent: (name) => platform.eventList.findLast((event) => event.function === name),
    secondOf: () => [],
    history: () => ({}),
    async sync(name, request) {
      if (name !== "default") throw new WrkstError("ERR_NOT_FOUND", `there is no source "${name}"`);
      platform.syncs.push({ source: name, ...request });
      if (request.wait) return platform.outcome;
      const job: Job = { id: `job-${platform.syncs.length}`, source: name, state: "running" };
      jobs.set(job.id, job);
      return job;
    },
    async diff(name, ref) {
      if (name !== "default") throw new WrkstError("ERR_NOT_FOUND", `there is no source "${name}"`);
      const functions = ref === "same" ? [] : [FUNCTION_DIFF];
      const to = `main@sha1:${COMMIT}`;
      return { source: name, from: null, to, functions, isChange: functions.length > 0 };
    },
    job: (id) => jobs.get(id),
    async restore(name, author) {
      platform.calls.push(`restore ${name} ${author}`);
      return functionStatus(name);
    },
    async release(name, author) {
      platform.calls.push(`release ${name} ${author}`);
      return functionStatus(name);
    },
  };
  return platform;
}
