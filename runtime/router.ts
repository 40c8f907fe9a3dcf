// Takes a request to the version that its host names. For a loaded version it touches nothing but memory.
import { assign } from "./assign.js";
import type { RouterBindings } from "./bindings.js";
import { createCounts } from "./counts.js";
import type { Reach } from "./d1/binding.js";
import { createFigures } from "./figures.js";
import { createForwarding, withoutPort } from "./forwarded.js";
import { createIsolates, inOwnContext, type Keep, type Slot } from "./isolates.js";
import { type Code, createLoading } from "./loading.js";
import { describeThrown, exceptionOf, logLine } from "./log.js";
import { type PageCode, page } from "./pages.js";
import { createRoutes, isRouteTable, type Target } from "./route-table.js";
import { createTail } from "./tail.js";
import type { Trace } from "./trace.js";
import { inTurns } from "./turns.js";
import {
  HEADER,
  type LogLine,
  type RouteChange,
  type RouteTable,
  type RuntimeCounts,
  type RuntimeFigures,
  type RuntimeState,
  type TraceRequest,
  type VersionSpec,
} from "./wire.js";

/** What can keep a promise going beyond the answer. */
type Lasting = Pick<ExecutionContext, "waitUntil">;

const MAX_REMEMBERED = 10_000;
const READS_AT_A_TIME = 4;
/**
 * Starting an isolate blocks the process, for milliseconds or for what the load check allows. One after the other, and after
 * one that took its time the next begins with a pause, so that the process gives its watchdog signs of life in between.
 */
const STARTS_AT_A_TIME = 1;
const NOTICEABLE = 20;
const UNAVAILABLE: Record<(Target & { kind: "unavailable" })["reason"], PageCode> = {
  suspended: "ERR_SUSPENDED",
  quarantined: "ERR_QUARANTINED",
  "not-loaded": "ERR_NOT_READY",
};

export type Router = ReturnType<typeof createRouter>;

/** Of whom something is told. */
interface Speaker {
  function: string;
  version: string;
}

interface Failure {
  slot: Slot;
  request: Request;
  id: string;
  error: unknown;
  isTold?: boolean;
}

export interface RouterHooks {
  trace: Trace;
  /** Makes what is told when an invocation of a function is over, work in `waitUntil` included. */
  tailOf(speaker: Speaker): Fetcher;
  /** The object of that name, as the function may reach it. */
  databaseOf(function_: string, object: string): Reach;
}

export function createRouter(bindings: RouterBindings, { trace, tailOf, databaseOf }: RouterHooks) {
  const { SETTINGS: settings } = bindings;
  const routes = createRoutes(settings);
  const forwarding = createForwarding(settings);
  const tail = createTail();
  const isTailWanted = (slot: Slot) => trace.isOn || tail.hears(slot.function);
  const loading = createLoading(bindings, {
    databaseOf,
    tailOf: (slot) => (isTailWanted(slot) ? tailOf({ function: slot.function, version: slot.spec.id }) : undefined),
  });
  let restingUntil = 0;
  const start = inTurns(STARTS_AT_A_TIME, async ({ slot, code }: { slot: Slot; code: Code }) => {
    if (Date.now() <= restingUntil) await scheduler.wait(1);
    const before = Date.now();
    trace.enter(slot.function);
    try {
      await loading.start(slot, code);
    } finally {
      trace.exit(slot.function);
      const now = Date.now();
      if (now - before >= NOTICEABLE) restingUntil = now + 1;
    }
  });
  const counts = createCounts();
  const figures = createFigures();
  const isolates = createIsolates({
    max: settings.maxIsolates,
    answersOf: counts.of,
    unload: loading.unload,
    isStale: (slot) => slot.isTailed !== isTailWanted(slot),
    load: inTurns(READS_AT_A_TIME, async (slot) => start({ slot, code: await loading.read(slot) })),
  });
  const slots = new Map<string, Slot>();
  let wards = new Map(Object.entries(settings.wards ?? {}));
  let requests = 0;
  let reading: Promise<void> | undefined;
  let isReady = false;
  let process: string | undefined;

  /** Made when first asked for: nothing is random before a request. */
  const processId = () => {
    process ??= crypto.randomUUID();
    return process;
  };
  const fail = (request: Request, code: PageCode, id: string = crypto.randomUUID()) => page(request, code, id);

  async function readTable(): Promise<void> {
    try {
      const response = await bindings.ROUTES.fetch("http://routes/table.json");
      if (response.status === 404) return;
      const table: unknown = await response.json();
      if (!isRouteTable(table)) throw new Error("it is not a route table");
      if (!isReady) routes.replace(table);
    } catch (error) {
      logLine({ event: "routes.unreadable", message: describeThrown(error) });
    } finally {
      isReady = true;
    }
  }

  /** Resolves when the table is known: read from disk, or sent. */
  function ready(keep: Keep): Promise<void> {
    if (!reading) {
      reading = readTable();
      keep(reading);
    }
    return inOwnContext(reading);
  }

  function handle(request: Request, context: Lasting): Promise<Response> {
    const url = forwarding.isActive ? forwardedUrl(request) : undefined;
    if (url !== undefined) return dispatch(new URL(url).host, new Request(url, request), context);
    return dispatch(request.headers.get("host") ?? "", request, context);
  }

  function dispatch(host: string, request: Request, context: Lasting): Promise<Response> {
    const slot = slots.get(host);
    return slot?.isLoaded ? serve(slot, request, context) : route(host, request, context);
  }

  function forwardedUrl(request: Request): string | undefined {
    return forwarding.originalUrl(request.url, connectionOf(request), request.headers);
  }

  async function route(host: string, request: Request, context: Lasting): Promise<Response> {
    if (!isReady) await ready(keepIn(context));
    const target = routes.resolve(host);
    const isServed = target.kind === "version" || target.kind === "split";
    const ward = isServed ? wards.get(target.function) : undefined;
    if (ward !== undefined) return askWard(ward, request);
    switch (target.kind) {
      case "version": {
        const slot = slotOf(target, target.spec);
        // Remembered before anything is awaited: afterwards the routes may be others already.
        if (slots.size >= MAX_REMEMBERED) slots.clear();
        slots.set(host, slot);
        return reach(slot, request, context);
      }
      case "split": {
        const spec = assign(target.function, target.shares, request.headers, Math.random());
        if (!spec) return fail(request, "ERR_NOT_READY");
        return reach(slotOf(target, spec), request, context);
      }
      case "unavailable":
        counts.refused(counts.of(target.function));
        return fail(request, UNAVAILABLE[target.reason]);
      case "agent":
        return askAgent(request);
      case "none":
        return isHealthPath(request.url) ? askAgent(request) : fail(request, "ERR_NOT_FOUND");
    }
  }

  /** A version that previews have, too, is loaded apart for them and not watched there. */
  function slotOf({ function: name, watched }: Target & { kind: "version" | "split" }, spec: VersionSpec): Slot {
    const slot = isolates.slot(name, spec);
    const isWatched = watched !== undefined && spec.preview === undefined && watched.includes(spec.id);
    slot.figures = isWatched ? figures.of(name, spec.id) : undefined;
    return slot;
  }

  function answered(slot: Slot, status: number, milliseconds: number): void {
    counts.answered(slot.answers, status, milliseconds);
    if (slot.figures !== undefined) figures.answered(slot.figures, status, milliseconds);
  }

  async function reach(slot: Slot, request: Request, context: Lasting): Promise<Response> {
    const keep = keepIn(context);
    while (!slot.isLoaded) {
      try {
        await isolates.load(slot, keep);
      } catch (error) {
        const id = crypto.randomUUID();
        report("function.load-failed", { slot, request, id, error });
        counts.refused(slot.answers);
        if (slot.figures !== undefined) figures.answered(slot.figures, 503, 0);
        return fail(request, "ERR_LOAD", id);
      }
    }
    return serve(slot, request, context);
  }

  async function serve(slot: Slot, request: Request, context: Lasting): Promise<Response> {
    requests++;
    isolates.use(slot);
    slot.inFlight++;
    if (trace.isOn) trace.enter(slot.function);
    // Of the isolate that takes the request: another one may have taken its place when it is answered.
    const { isTailed, figures: watched } = slot;
    const turn = watched === undefined ? 0 : figures.began(watched);
    const since = Date.now();
    const id = crypto.randomUUID();
    try {
      const response = await loading.entrypoint(slot).fetch(withPlatformHeaders(request, id));
      answered(slot, response.status, Date.now() - since);
      return response;
    } catch (error) {
      answered(slot, 502, Date.now() - since);
      report("function.threw", { slot, request, id, error, isTold: isTailed });
      return fail(request, "ERR_FUNCTION", id);
    } finally {
      if (watched !== undefined) figures.ended(watched, turn);
      if (isTailed) tail.answered(id, Date.now() - since);
      slot.inFlight--;
      if (slot.inFlight === 0 && isolates.isOver) isolates.makeRoom(keepIn(context));
      if (!isTailed) trace.exit(slot.function);
    }
  }

  /** To the agent's log, and as an exception of the function, unless its isolate tells that by itself. */
  function report(event: LogLine["event"], { slot, request, id, error, isTold }: Failure): void {
    const told = { function: slot.function, version: slot.spec.id, request: id };
    logLine({ event, ...told, message: describeThrown(error) });
    if (isTold) return;
    const asked = { method: request.method, path: new URL(request.url).pathname };
    tail.tell({ kind: "threw", ...told, asked, exception: exceptionOf(error) });
  }

  /** An invocation is over. Where nobody listens any more, only what it threw is told. */
  function ended({ function: name, version }: Speaker, item: TraceItem): void {
    trace.exit(name);
    const invocation = tail.describe(item);
    if (tail.hears(name)) {
      tail.tell({ kind: "invocation", function: name, version, invocation });
      return;
    }
    const { exceptions, event, request = "" } = invocation;
    const asked = event && { method: event.request.method, path: new URL(event.request.url).pathname };
    for (const exception of exceptions) {
      tail.tell({ kind: "threw", function: name, version, request, ...(asked && { asked }), exception });
    }
  }

  /** A copy, since the headers of what came in cannot be changed. The public socket has removed what the client set. */
  function withPlatformHeaders(request: Request, id: string): Request {
    const copy = new Request(request);
    const { headers } = copy;
    const connection = connectionOf(request);
    headers.set(HEADER.clientIp, forwarding.isActive ? forwarding.clientAddress(connection, headers) : connection);
    headers.set(HEADER.requestId, id);
    return copy;
  }

  /** The router of the ward does all that this one would, from the headers as they came in. */
  async function askWard(ward: number, request: Request): Promise<Response> {
    try {
      return await bindings[`WARD_${ward}`]!.fetch(request);
    } catch (error) {
      const id = crypto.randomUUID();
      logLine({ event: "ward.unreachable", request: id, message: describeThrown(error) });
      return fail(request, "ERR_NOT_READY", id);
    }
  }

  async function askAgent(request: Request): Promise<Response> {
    const id = crypto.randomUUID();
    const changed = withPlatformHeaders(request, id);
    const { headers } = changed;
    for (const name of ["x-forwarded-for", "x-forwarded-host", "forwarded"]) headers.delete(name);
    headers.set("x-forwarded-proto", request.url.startsWith("https:") ? "https" : "http");
    try {
      return await bindings.AGENT.fetch(changed);
    } catch (error) {
      logLine({ event: "agent.unreachable", request: id, message: describeThrown(error) });
      return fail(request, "ERR_API", id);
    }
  }

  /**
   * After a change of the functions: no host is remembered, and what no name leads to any more is unloaded. Hosts of
   * replaced versions load them again when they are asked for: kept, every push would cost the memory of a version.
   */
  function forget(keep: Keep, isConcerned: (function_: string) => boolean = () => true): void {
    slots.clear();
    isolates.evictWhere((slot) => isConcerned(slot.function) && !routes.isNamed(slot.function, slot.spec), keep);
  }

  /** Functions that begin or cease to be listened to go on in another isolate; requests in flight finish where they are. */
  function listen(functions: string[], keep: Keep): void {
    const changed = tail.listen(functions);
    if (changed.size === 0) return;
    slots.clear();
    isolates.evictWhere((slot) => changed.has(slot.function) && slot.isTailed !== isTailWanted(slot), keep);
  }

  return {
    handle,
    ready,
    state(): RuntimeState {
      return {
        generation: routes.generation,
        isolates: isolates.loaded,
        evictions: isolates.evictions,
        coldLoads: isolates.coldLoads,
        functions: routes.size,
        requests,
      };
    },
    figures(functions: string[]): RuntimeFigures {
      return { process: processId(), functions: figures.read(functions) };
    },
    counts(): RuntimeCounts {
      const { loaded, evictions, coldLoads } = isolates;
      return { process: processId(), isolates: loaded, evictions, coldLoads, ...counts.read(routes.has) };
    },
    /** False where the change does not start from what is served. */
    change(change: RouteChange, keep: Keep): boolean {
      if (!routes.change(change)) return false;
      for (const [name, entry] of Object.entries(change.functions)) figures.keep(name, entry?.watched ?? []);
      forget(keep, (name) => Object.hasOwn(change.functions, name));
      return true;
    },
    replace(table: RouteTable, keep: Keep): void {
      routes.replace(table);
      figures.keepAll(routes.watched);
      isReady = true;
      forget(keep);
    },
    /** Tells on stdout which functions run, or no longer. Isolates that cannot tell, or tell needlessly, are replaced. */
    trace({ on, key }: TraceRequest, keep: Keep): void {
      trace.key = key;
      if (trace.isOn === on) return;
      trace.isOn = on;
      isolates.evictWhere(() => true, keep);
      slots.clear();
    },
    /** Hands the functions to their wards, and takes back all others. */
    confine(functions: Record<string, number>, keep: Keep): void {
      wards = new Map(Object.entries(functions));
      slots.clear();
      isolates.evictWhere((slot) => wards.has(slot.function), keep);
    },
    ended,
    /** What functions say, as NDJSON; see `CONTROL.tail`. */
    tail(functions: string[], keep: Keep): ReadableStream {
      const { body, ended } = tail.open();
      listen(functions, keep);
      keep(ended.then((end) => (end === "gone" ? listen([], keep) : undefined)));
      return body;
    },
    listen,
    evict(functions: string[], keep: Keep): void {
      const names = new Set(functions);
      isolates.evictWhere((slot) => names.has(slot.function), keep);
      slots.clear();
    },
    slot: isolates.slot,
    load: isolates.load,
    serve,
  };
}

function keepIn(context: Lasting): Keep {
  return (promise) => context.waitUntil(promise);
}

function connectionOf(request: Request): string {
  const clientIp = (request.cf as { clientIp?: string } | undefined)?.clientIp;
  return clientIp ? withoutPort(clientIp) : "";
}

function isHealthPath(url: string): boolean {
  const { pathname } = new URL(url);
  return pathname === "/healthz" || pathname === "/readyz";
}
