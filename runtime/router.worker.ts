// The serving worker: its default handler answers the public socket, its entry point `Control` the agent's.
import { env, exports, WorkerEntrypoint } from "cloudflare:workers";
import type { RouterBindings } from "./bindings.js";
import { handleControl } from "./control.js";
import { calls } from "./d1/calls.js";
import { handleD1Control, isD1Control } from "./d1/control.js";
import { type Caller, forward, receive } from "./d1/elsewhere.js";
import { createRouter } from "./router.js";
import { createTrace } from "./trace.js";
import { HOST_ENTRYPOINT } from "./wire.js";

interface TailProps {
  function: string;
  version: string;
}
interface Loopback {
  EndOfInvocation(options: { props: TailProps }): Fetcher;
  DatabaseElsewhere(options: { props: Caller }): Fetcher;
}

export { D1Database } from "./d1/object.js";

const loopback = exports as unknown as Loopback;
const bindings = env as RouterBindings;
const trace = createTrace(bindings.SETTINGS.traceKey);
calls.trace = trace;
const router = createRouter(bindings, {
  trace,
  tailOf: (props) => loopback.EndOfInvocation({ props }),
  databaseOf(function_, object) {
    if (!bindings.DATABASES) return loopback.DatabaseElsewhere({ props: { function: function_, object } });
    calls.give(function_, object);
    return bindings.DATABASES.getByName(object);
  },
});

export class Control extends WorkerEntrypoint<RouterBindings> {
  override fetch(request: Request): Promise<Response> {
    if (isD1Control(new URL(request.url).pathname)) return handleD1Control(this.env.DATABASES, request);
    return handleControl(router, request, (promise) => this.ctx.waitUntil(promise));
  }
}

/** In a ward: what its functions hold instead of a database's object. */
export class DatabaseElsewhere extends WorkerEntrypoint<RouterBindings, Caller> {
  override fetch(request: Request): Promise<Response> {
    return forward(this.env.D1!, this.ctx.props, request);
  }
}

/** Answers the wards' calls to databases. */
export class Databases extends WorkerEntrypoint<RouterBindings> {
  override fetch(request: Request): Promise<Response> {
    const answer = receive(this.env.DATABASES!, calls, request);
    // A ward may be gone before the answer; that the call is over has to be told all the same.
    this.ctx.waitUntil(answer);
    return answer;
  }
}

/** Tail of functions while the router traces, or somebody listens to them. */
export class EndOfInvocation extends WorkerEntrypoint<RouterBindings, TailProps> {
  override tail(items: TraceItem[]): void {
    for (const item of items) if (item.entrypoint !== HOST_ENTRYPOINT) router.ended(this.ctx.props, item);
  }
}

export default {
  fetch: (request, _env, context) => router.handle(request, context),
} satisfies ExportedHandler<RouterBindings>;
