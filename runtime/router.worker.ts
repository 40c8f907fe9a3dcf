// The serving worker: its default handler answers the public socket, its entry point `Control` the agent's.
import { env, exports, WorkerEntrypoint } from "cloudflare:workers";
import type { RouterBindings } from "./bindings.js";
import { handleControl } from "./control.js";
import { createRouter } from "./router.js";
import { HOST_ENTRYPOINT } from "./wire.js";

interface TailProps {
  function: string;
}
interface Loopback {
  EndOfInvocation(options: { props: TailProps }): Fetcher;
}

const router = createRouter(env as RouterBindings, (name) =>
  (exports as unknown as Loopback).EndOfInvocation({ props: { function: name } }),
);

export class Control extends WorkerEntrypoint<RouterBindings> {
  override fetch(request: Request): Promise<Response> {
    return handleControl(router, request, (promise) => this.ctx.waitUntil(promise));
  }
}

/** Tail of functions while the router traces. */
export class EndOfInvocation extends WorkerEntrypoint<RouterBindings, TailProps> {
  override tail(events: TraceItem[]): void {
    for (const { entrypoint } of events) if (entrypoint !== HOST_ENTRYPOINT) router.ended(this.ctx.props.function);
  }
}

export default {
  fetch: (request, _env, context) => router.handle(request, context),
} satisfies ExportedHandler<RouterBindings>;
