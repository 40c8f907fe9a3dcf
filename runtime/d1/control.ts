// Answers the agent's calls about databases (D1_CONTROL in wire.ts), each by the object that holds the database.
import { closed } from "./closed.js";
import { privileged } from "./key.js";
import { stats } from "./object.js";
import { D1_CONTROL, type D1Pause, MAX_CALL } from "./wire.js";

/** Whether the path is one of these calls. */
export function isD1Control(path: string): boolean {
  return path.startsWith("/d1/");
}

export async function handleD1Control(
  objects: DurableObjectNamespace | undefined,
  request: Request,
): Promise<Response> {
  const path = new URL(request.url).pathname;
  if (path === D1_CONTROL.stats) return Response.json(stats.take());
  if (!objects) return refuse(404, "this process holds no databases");
  if (request.method !== "POST") return refuse(405, "calls about databases are POST");
  if (Number(request.headers.get("content-length")) > MAX_CALL)
    return refuse(413, `expected at most ${MAX_CALL} bytes`);
  const text = await request.text();
  const { object, objects: names = [], on = true } = JSON.parse(text) as { object?: string } & Partial<D1Pause>;
  if (path === D1_CONTROL.retire) {
    for (const name of names) closed.retire(name);
    return Response.json({});
  }
  if (path === D1_CONTROL.pause) {
    for (const name of names) closed.pause(name, on);
    return Response.json({});
  }
  if (typeof object !== "string") return refuse(400, "the call names no object");
  try {
    return await objects.getByName(object).fetch(privileged(path, text));
  } catch (error) {
    // The commit failed, which ends the object with all that waited for it: nothing was changed.
    return Response.json({ ok: false, error: (error as Error).message, statement: 0, offset: 0 });
  }
}

function refuse(status: number, message: string): Response {
  return Response.json({ error: message }, { status });
}
