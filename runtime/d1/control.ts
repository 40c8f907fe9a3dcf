// Answers the agent's calls about databases (D1_CONTROL in wire.ts), each by the object that holds the database.
import { closed } from "./closed.js";
import { privileged } from "./key.js";
import { D1_CONTROL, type D1Pause } from "./wire.js";

/** Whether the path is one of these calls. */
export function isD1Control(path: string): boolean {
  return path.startsWith("/d1/");
}

export async function handleD1Control(objects: DurableObjectNamespace, request: Request): Promise<Response> {
  const path = new URL(request.url).pathname;
  const text = await request.text();
  const { object, objects: names = [], on = true } = JSON.parse(text) as { object?: string } & Partial<D1Pause>;
  const send = (name: string) => objects.get(objects.idFromName(name)).fetch(privileged(path, text));
  if (path === D1_CONTROL.retire) {
    for (const name of names) closed.retire(name);
    return Response.json({});
  }
  if (path === D1_CONTROL.pause) {
    for (const name of names) closed.pause(name, on);
    return Response.json({});
  }
  if (object === undefined) return Response.json({ error: "the call names no object" }, { status: 400 });
  return send(object);
}
