// Answers the agent's calls on the control socket (CONTROL in wire.ts). Whoever reaches the socket is the agent.
import type { Keep } from "./isolates.js";
import { describeThrown } from "./log.js";
import { isRouteChange, isRouteTable } from "./route-table.js";
import type { Router } from "./router.js";
import {
  CONTROL,
  type FiguresRequest,
  type PrepareRequest,
  type PrepareResult,
  type TailRequest,
  type TraceRequest,
  type WardsRequest,
} from "./wire.js";

type Preparation = PrepareRequest["versions"][number];

/** Milliseconds. Versions load one after the other, so that one which is late says little about it. */
const LOAD_LIMIT = 10_000;
const HEALTH_LIMIT = 2_000;

class TooLate extends Error {}

export async function handleControl(router: Router, request: Request, keep: Keep): Promise<Response> {
  const { pathname } = new URL(request.url);
  if (pathname === CONTROL.state) {
    await router.ready(keep);
    return Response.json(router.state());
  }
  if (pathname === CONTROL.counts) return Response.json(router.counts());
  if (request.method !== "POST") return refuse(405, "control calls are POST");
  const body: unknown = await request.json().catch(() => undefined);
  if (typeof body !== "object" || body === null) return refuse(400, "the body is not a JSON object");
  await router.ready(keep);
  switch (pathname) {
    case CONTROL.change: {
      if (!isRouteChange(body)) return refuse(400, "the body is not a change of routes");
      const isDone = router.change(body, keep);
      return Response.json({ generation: router.state().generation }, { status: isDone ? 200 : 409 });
    }
    case CONTROL.replace:
      if (!isRouteTable(body)) return refuse(400, "the body is not a route table");
      router.replace(body, keep);
      return Response.json({ generation: body.generation });
    case CONTROL.figures:
      return Response.json(router.figures((body as FiguresRequest).functions));
    case CONTROL.prepare:
      return Response.json(await prepare(router, body as PrepareRequest, keep));
    case CONTROL.trace:
      router.trace(body as TraceRequest, keep);
      return Response.json({});
    case CONTROL.wards:
      router.confine((body as WardsRequest).functions, keep);
      return Response.json({});
    case CONTROL.evict:
      router.evict((body as { functions: string[] }).functions, keep);
      return Response.json({});
    case CONTROL.tail:
      return new Response(router.tail((body as TailRequest).functions, keep));
    case CONTROL.listen:
      router.listen((body as TailRequest).functions, keep);
      return Response.json({});
    default:
      return refuse(404, `no control call "${pathname}"`);
  }
}

function refuse(status: number, message: string): Response {
  return Response.json({ error: message }, { status });
}

async function prepare(router: Router, { versions }: PrepareRequest, keep: Keep): Promise<PrepareResult> {
  const outcomes = await Promise.all(
    versions.map(async (version) => [version.spec.id, await prepareOne(router, version, keep)] as const),
  );
  return { versions: Object.fromEntries(outcomes) };
}

async function prepareOne(
  router: Router,
  version: Preparation,
  keep: Keep,
): Promise<PrepareResult["versions"][string]> {
  const slot = router.slot(version.function, version.spec);
  try {
    await within(router.load(slot, keep), LOAD_LIMIT, "the version did not load");
  } catch (error) {
    if (error instanceof TooLate && version.health === undefined) return null;
    return { kind: "load", message: messageOf(error) };
  }
  if (version.health === undefined) return null;
  try {
    const request = new Request(new URL(version.health, "http://health.invalid"), { redirect: "manual" });
    const response = await within(
      router.serve(slot, request, { waitUntil: keep }),
      HEALTH_LIMIT,
      `"${version.health}" did not answer`,
    );
    await response.body?.cancel();
    if (response.ok) return null;
    return { kind: "health", message: `"${version.health}" answered ${response.status}` };
  } catch (error) {
    return { kind: "health", message: messageOf(error) };
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : describeThrown(error);
}

async function within<T>(promise: Promise<T>, limit: number, what: string): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | null = null;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new TooLate(`${what} within ${limit / 1000} s`)), limit);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
