// The serving worker: its default handler answers the public socket, its entry point `Control` the agent's.
import { env, WorkerEntrypoint } from "cloudflare:workers";
import type { RouterBindings } from "./bindings.js";
import { handleControl } from "./control.js";
import { createRouter } from "./router.js";

const router = createRouter(env as RouterBindings);

export class Control extends WorkerEntrypoint<RouterBindings> {
  override fetch(request: Request): Promise<Response> {
    return handleControl(router, request, (promise) => this.ctx.waitUntil(promise));
  }
}

export default {
  fetch: (request, _env, context) => router.handle(request, context),
} satisfies ExportedHandler<RouterBindings>;
