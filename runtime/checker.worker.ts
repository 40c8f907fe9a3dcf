// Loads what it is given, with no data and no network, and tells what it exports or why it does not load. Keeps nothing.
import { env } from "cloudflare:workers";
import { decodeArtifact } from "./artifact.js";
import type { CheckerBindings } from "./bindings.js";
import { handOver } from "./d1/binding.js";
import { type ExportKind, entrypointsOf } from "./exports.js";
import { checkModules } from "./modules.js";
import { CHECK_HEADER, CHECK_PATH, type CheckRequest, type CheckResult, HOST_ENTRYPOINT } from "./wire.js";

type HostEntrypoint = Fetcher & { describe(): Promise<ExportKind[]>; evict(): Promise<void> };

const { LOADER: loader, NONE: outbound, D1_TEMPLATE: template } = env as CheckerBindings;

const NO_DATABASE = "there is no database while a version is checked";
const HINT = "ask the database at the first request instead of at the top level";

export default {
  async fetch(request, _env, context) {
    if (new URL(request.url).pathname !== CHECK_PATH) return new Response(null, { status: 404 });
    const body = new Uint8Array(await request.arrayBuffer());
    const length = Number(request.headers.get(CHECK_HEADER));
    const settings = JSON.parse(new TextDecoder().decode(body.subarray(0, length))) as CheckRequest;
    return Response.json(await check(body.subarray(length), settings, (promise) => context.waitUntil(promise)));
  },
} satisfies ExportedHandler<CheckerBindings>;

async function check(
  bytes: Uint8Array,
  { compatibilityDate, compatibilityFlags, vars, secrets, databases = [] }: CheckRequest,
  keep: (promise: Promise<unknown>) => void,
): Promise<CheckResult> {
  const start = Date.now();
  try {
    const modules = checkModules(decodeArtifact(bytes));
    const code = {
      ...modules,
      compatibilityDate,
      compatibilityFlags,
      env: {
        ...vars,
        ...secrets,
        ...handOver(template, Object.fromEntries(databases.map((name) => [name, NO_DATABASE]))),
      },
      globalOutbound: outbound,
    };
    const host = loader.get(crypto.randomUUID(), () => code).getEntrypoint(HOST_ENTRYPOINT) as HostEntrypoint;
    const kinds = await host.describe();
    keep(host.evict().catch(() => {}));
    return { ok: true, entrypoints: entrypointsOf(kinds), milliseconds: Date.now() - start };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { ok: false, message, ...(message.includes(NO_DATABASE) && { hint: HINT }) };
  }
}
