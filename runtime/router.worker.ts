// The serving worker: its default handler answers the public socket, its entry point `Control` the agent's.
import { env, exports, WorkerEntrypoint } from "cloudflare:workers";
import type { RouterBindings } from "./bindings.js";
import { handleControl } from "./control.js";
import { handleD1Control, isD1Control } from "./d1/control.js";
import { createRouter } from "./router.js";
import { HOST_ENTRYPOINT } from "./wire.js";

interface TailProps {
  function: string;
  version: string;
}
interface Loopback {
  EndOfInvocation(options: { props: TailProps }): Fetcher;
}

export { D1Database } from "./d1/object.js";

const router = createRouter(env as RouterBindings, (props) =>
  (exports as unknown as Loopback).EndOfInvocation({ props }),
);

export class Control extends WorkerEntrypoint<RouterBindings> {
  override fetch(request: Request): Promise<Response> {
    if (isD1Control(new URL(request.url).pathname)) return handleD1Control(this.env.DATABASES!, request);
    return handleControl(router, request, (promise) => this.ctx.waitUntil(promise));
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
