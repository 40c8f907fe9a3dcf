// A ward's way to databases, which one process alone opens: calls of its functions go to that one over a unix socket, and are
// sent to the object there. What a function may reach is the router's word, never the call's.
import type { Calls } from "./calls.js";
import { isObjectName } from "./wire.js";

/** On whose behalf a call is sent, and to which object. */
export interface Caller {
  function: string;
  object: string;
}

/** Replaces what a function may have set. */
const CALLER = "x-wrkst-d1-caller";

/** As D1 words it, so that code which tries such failures again does so here. */
const LOST = "Network connection lost.";

/** In the ward. Never rejects: the process of the databases may be restarted at any moment. */
export async function forward(databases: Fetcher, caller: Caller, request: Request): Promise<Response> {
  const call = new Request(request);
  call.headers.set(CALLER, JSON.stringify(caller));
  try {
    return await databases.fetch(call);
  } catch {
    return failed(LOST);
  }
}

/** In the process of the databases. Whoever reaches the socket is a ward's router. */
export async function receive(objects: DurableObjectNamespace, calls: Calls, request: Request): Promise<Response> {
  const caller = JSON.parse(request.headers.get(CALLER) ?? "{}") as Partial<Caller>;
  const { function: name, object } = caller;
  if (typeof name !== "string" || typeof object !== "string" || !isObjectName(object)) {
    return failed("the call names no database");
  }
  return sendByName(objects, calls, { function: name, object }, request);
}

/** Finds the object anew, whatever became of it. Never rejects. */
export async function sendByName(
  objects: DurableObjectNamespace,
  calls: Calls,
  caller: Caller,
  request: Request,
): Promise<Response> {
  try {
    return await calls.send(caller.function, objects.getByName(caller.object), request);
  } catch (error) {
    return failed(error instanceof Error ? error.message : String(error));
  }
}

function failed(error: string): Response {
  return Response.json({ success: false, error });
}
