// Takes a request to the version that its host names. For a loaded version it touches nothing but memory.
import type { RouterBindings } from "./bindings.js";
import { createForwarding, withoutPort } from "./forwarded.js";
import { createIsolates, inOwnContext, type Keep, type Slot } from "./isolates.js";
import { createLoading } from "./loading.js";
import { describeThrown, logLine } from "./log.js";
import { type PageCode, page } from "./pages.js";
import { createRoutes, isRouteTable, type Target } from "./route-table.js";
import { createTrace } from "./trace.js";
import { inTurns } from "./turns.js";
import { HEADER, type RouteChange, type RouteTable, type RuntimeState } from "./wire.js";

/** What can keep a promise going beyond the answer. */
type Lasting = Pick<ExecutionContext, "waitUntil">;

const MAX_REMEMBERED = 10_000;
/**
 * Making an isolate blocks the process for milliseconds. All that is asked for at once, as after a restart, would block
 * it until its watchdog takes it to hang; in turns, its signs of life come in between.
 */
const LOADS_AT_A_TIME = 4;
const UNAVAILABLE: Record<(Target & { kind: "unavailable" })["reason"], PageCode> = {
  suspended: "ERR_SUSPENDED",
  quarantined: "ERR_QUARANTINED",
  "not-loaded": "ERR_NOT_READY",
};

export type Router = ReturnType<typeof createRouter>;

/** `tailOf` makes what is told when an invocation of a function is over, work in `waitUntil` included. */
export function createRouter(bindings: RouterBindings, tailOf: (function_: string) => Fetcher) {
  const { SETTINGS: settings } = bindings;
  const trace = createTrace(settings.traceKey);
  const routes = createRoutes(settings);
  const forwarding = createForwarding(settings);
  const loading = createLoading(bindings, (name) => (trace.isOn ? tailOf(name) : undefined));
  const isolates = createIsolates({
    max: settings.maxIsolates,
    unload: loading.unload,
    load: inTurns(LOADS_AT_A_TIME, async (slot) => {
      trace.enter(slot.function);
      try {
        await loading.load(slot);
      } finally {
        trace.exit(slot.function);
      }
    }),
  });
  const slots = new Map<string, Slot>();
  let requests = 0;
  let reading: Promise<void> | undefined;
  let isReady = false;

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
    switch (target.kind) {
      case "version":
        return reach(host, target, request, context);
      case "unavailable":
        return fail(request, UNAVAILABLE[target.reason]);
      case "agent":
        return askAgent(request);
      case "none":
        return isHealthPath(request.url) ? askAgent(request) : fail(request, "ERR_NOT_FOUND");
    }
  }

  async function reach(host: string, target: Target & { kind: "version" }, request: Request, context: Lasting) {
    const keep = keepIn(context);
    const slot = isolates.slot(target.function, target.spec);
    // Remembered before anything is awaited: afterwards the routes may be others already.
    if (slots.size >= MAX_REMEMBERED) slots.clear();
    slots.set(host, slot);
    while (!slot.isLoaded) {
      try {
        await isolates.load(slot, keep);
      } catch (error) {
        const id = crypto.randomUUID();
        const message = describeThrown(error);
        logLine({
          event: "function.load-failed",
          function: slot.function,
          version: slot.spec.id,
          request: id,
          message,
        });
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
    const id = crypto.randomUUID();
    try {
      return await loading.entrypoint(slot).fetch(withPlatformHeaders(request, id));
    } catch (error) {
      const message = describeThrown(error);
      logLine({ event: "function.threw", function: slot.function, version: slot.spec.id, request: id, message });
      return fail(request, "ERR_FUNCTION", id);
    } finally {
      slot.inFlight--;
      if (slot.inFlight === 0 && isolates.isOver) isolates.makeRoom(keepIn(context));
      if (!slot.isTailed) trace.exit(slot.function);
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

  /** After a change of the functions: no host is remembered, and what no host leads to any more is unloaded. */
  function forget(keep: Keep, isConcerned: (function_: string) => boolean = () => true): void {
    slots.clear();
    isolates.evictWhere((slot) => isConcerned(slot.function) && !routes.isReachable(slot.function, slot.spec), keep);
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
    /** False where the change does not start from what is served. */
    change(change: RouteChange, keep: Keep): boolean {
      if (!routes.change(change)) return false;
      forget(keep, (name) => Object.hasOwn(change.functions, name));
      return true;
    },
    replace(table: RouteTable, keep: Keep): void {
      routes.replace(table);
      isReady = true;
      forget(keep);
    },
    /** With a key, tells on stdout which functions run. Isolates that cannot tell, or tell needlessly, are replaced. */
    trace(key: string | undefined, keep: Keep): void {
      if (trace.isOn !== (key !== undefined)) isolates.evictWhere(() => true, keep);
      trace.key = key;
      slots.clear();
    },
    ended: trace.exit,
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
