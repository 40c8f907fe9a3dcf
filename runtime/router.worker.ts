// The serving worker: its default handler answers the public socket, its entry point `Control` the agent's.
import { env, exports, WorkerEntrypoint } from "cloudflare:workers";
import type { RouterBindings } from "./bindings.js";
import { handleControl } from "./control.js";
import { createRouter } from "./router.js";
import { HOST_ENTRYPOINT } from "./wire.js";

interface TailProps {
  function: string;
  version: string;
}
interface Loopback {
  EndOfInvocation(options: { props: TailProps }): Fetcher;
}

const router = createRouter(env as RouterBindings, (props) =>
  (exports as unknown as Loopback).EndOfInvocation({ props }),
);

export class Control extends WorkerEntrypoint<RouterBindings> {
  override fetch(request: Request): Promise<Response> {
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
