// Takes a request to the version that its host names. For a loaded version it touches nothing but memory.
import type { RouterBindings } from "./bindings.js";
import { createForwarding, withoutPort } from "./forwarded.js";
import { createIsolates, type Slot } from "./isolates.js";
import { createLoading } from "./loading.js";
import { describeThrown, logLine, traceLine } from "./log.js";
import { type PageCode, page } from "./pages.js";
import { createRoutes, isRouteTable, type Target } from "./route-table.js";
import { HEADER, type RouteChange, type RouteTable, type RuntimeState } from "./wire.js";

/** What keeps a promise going though the event that began it is over. */
type Keep = (promise: Promise<unknown>) => void;

const MAX_REMEMBERED = 10_000;
const UNAVAILABLE: Record<(Target & { kind: "unavailable" })["reason"], PageCode> = {
  suspended: "ERR_SUSPENDED",
  quarantined: "ERR_QUARANTINED",
  "not-loaded": "ERR_NOT_READY",
};

export type Router = ReturnType<typeof createRouter>;

export function createRouter(bindings: RouterBindings) {
  const { SETTINGS: settings } = bindings;
  const routes = createRoutes(settings);
  const forwarding = createForwarding(settings);
  const loading = createLoading(bindings);
  const isolates = createIsolates({ max: settings.maxIsolates, ...loading });
  const slots = new Map<string, Slot>();
  let traceKey = settings.traceKey;
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
    return reading;
  }

  function handle(request: Request, context: ExecutionContext): Promise<Response> | Response {
    if (forwarding.isActive) return handleForwarded(request, context);
    const host = request.headers.get("host") ?? "";
    const slot = slots.get(host);
    return slot?.isLoaded ? serve(slot, request) : route(host, request, context);
  }

  async function handleForwarded(request: Request, context: ExecutionContext): Promise<Response> {
    const connection = connectionOf(request);
    const url = forwarding.originalUrl(request.url, connection, request.headers);
    const original = url === undefined ? request : new Request(url, request);
    const host = url === undefined ? (request.headers.get("host") ?? "") : new URL(url).host;
    return route(host, original, context);
  }

  async function route(host: string, request: Request, context: ExecutionContext): Promise<Response> {
    const keep: Keep = (promise) => context.waitUntil(promise);
    if (!isReady) await ready(keep);
    const target = routes.resolve(host);
    switch (target.kind) {
      case "version":
        return reach(host, target, request, keep);
      case "unavailable":
        return fail(request, UNAVAILABLE[target.reason]);
      case "agent":
        return askAgent(request);
      case "none":
        return isHealthPath(request.url) ? askAgent(request) : fail(request, "ERR_NOT_FOUND");
    }
  }

  async function reach(host: string, target: Target & { kind: "version" }, request: Request, keep: Keep) {
    const slot = isolates.slot(target.function, target.spec);
    if (!slot.isLoaded) {
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
    if (slots.size >= MAX_REMEMBERED) slots.clear();
    slots.set(host, slot);
    return serve(slot, request);
  }

  async function serve(slot: Slot, request: Request): Promise<Response> {
    requests++;
    isolates.use(slot);
    slot.inFlight++;
    if (traceKey) traceLine({ key: traceKey, enter: slot.function });
    const id = crypto.randomUUID();
    try {
      return await loading.entrypoint(slot).fetch(withPlatformHeaders(request, id));
    } catch (error) {
      const message = describeThrown(error);
      logLine({ event: "function.threw", function: slot.function, version: slot.spec.id, request: id, message });
      return fail(request, "ERR_FUNCTION", id);
    } finally {
      slot.inFlight--;
      if (traceKey) traceLine({ key: traceKey, exit: slot.function });
    }
  }

  /** A copy, since the headers of what came in cannot be changed. The public socket has removed what the client set. */
  function withPlatformHeaders(request: Request, id: string): Request {
    const copy = new Request(request);
    copy.headers.set(HEADER.clientIp, forwarding.clientAddress(connectionOf(request), request.headers));
    copy.headers.set(HEADER.requestId, id);
    return copy;
  }

  async function askAgent(request: Request): Promise<Response> {
    const id = crypto.randomUUID();
    const changed = withPlatformHeaders(request, id);
    for (const name of ["x-forwarded-for", "x-forwarded-host", "forwarded"]) changed.headers.delete(name);
    changed.headers.set("x-forwarded-proto", request.url.startsWith("https:") ? "https" : "http");
    try {
      return await bindings.AGENT.fetch(changed);
    } catch (error) {
      logLine({ event: "agent.unreachable", request: id, message: describeThrown(error) });
      return fail(request, "ERR_API", id);
    }
  }

  /** After a change: no host is remembered, and what no host leads to any more is unloaded. */
  function forget(keep: Keep): void {
    slots.clear();
    const reachable = new Set<Slot>();
    for (const { function: name, spec } of routes.versions()) reachable.add(isolates.slot(name, spec));
    isolates.evictWhere((slot) => !reachable.has(slot), keep);
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
      forget(keep);
      return true;
    },
    replace(table: RouteTable, keep: Keep): void {
      routes.replace(table);
      isReady = true;
      forget(keep);
    },
    trace(key: string | undefined): void {
      traceKey = key;
    },
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

function connectionOf(request: Request): string {
  const clientIp = (request.cf as { clientIp?: string } | undefined)?.clientIp;
  return clientIp ? withoutPort(clientIp) : "";
}

function isHealthPath(url: string): boolean {
  const { pathname } = new URL(url);
  return pathname === "/healthz" || pathname === "/readyz";
}
