// The serving worker: its default handler answers the public socket, its entry point `Control` the agent's.
import { env, exports, WorkerEntrypoint } from "cloudflare:workers";
import type { RouterBindings } from "./bindings.js";
import { handleControl } from "./control.js";
import { calls } from "./d1/calls.js";
import { closed } from "./d1/closed.js";
import { handleD1Control, isD1Control } from "./d1/control.js";
import { type Caller, forward, receive, sendByName } from "./d1/elsewhere.js";
import { createRouter } from "./router.js";
import { createTrace } from "./trace.js";
import { HOST_ENTRYPOINT } from "./wire.js";

interface TailProps {
  function: string;
  version: string;
}
interface Loopback {
  EndOfInvocation(options: { props: TailProps }): Fetcher;
  DatabaseByName(options: { props: Caller }): Fetcher;
}

export { D1Database } from "./d1/object.js";

const loopback = exports as unknown as Loopback;
const bindings = env as RouterBindings;
const trace = createTrace(bindings.SETTINGS.traceKey);
calls.trace = trace;
for (const name of bindings.SETTINGS.d1.paused ?? []) closed.pause(name, true);
const router = createRouter(bindings, {
  trace,
  tailOf: (props) => loopback.EndOfInvocation({ props }),
  databaseOf(function_, object) {
    const byName = loopback.DatabaseByName({ props: { function: function_, object } });
    if (!bindings.DATABASES) return { direct: byName };
    calls.give(function_, object);
    return { direct: bindings.DATABASES.getByName(object), again: byName };
  },
});

export class Control extends WorkerEntrypoint<RouterBindings> {
  override fetch(request: Request): Promise<Response> {
    if (isD1Control(new URL(request.url).pathname)) return handleD1Control(this.env.DATABASES, request);
    return handleControl(router, request, (promise) => this.ctx.waitUntil(promise));
  }
}

/** What a function holds instead of a database's object: in a ward, and where the object ended that it held. */
export class DatabaseByName extends WorkerEntrypoint<RouterBindings, Caller> {
  override fetch(request: Request): Promise<Response> {
    const { DATABASES: objects, D1: elsewhere } = this.env;
    if (objects) return sendByName(objects, calls, this.ctx.props, request);
    return forward(elsewhere!, this.ctx.props, request);
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
