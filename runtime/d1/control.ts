// Answers the agent's calls about databases (D1_CONTROL in wire.ts), each by the object that holds the database.
import { privileged } from "./key.js";
import { D1_CONTROL } from "./wire.js";

/** Whether the path is one of these calls. */
export function isD1Control(path: string): boolean {
  return path.startsWith("/d1/");
}

export async function handleD1Control(objects: DurableObjectNamespace, request: Request): Promise<Response> {
  const path = new URL(request.url).pathname;
  const text = await request.text();
  const { object, objects: names } = JSON.parse(text) as { object?: string; objects?: string[] };
  const send = (name: string) => objects.get(objects.idFromName(name)).fetch(privileged(path, text));
  if (path === D1_CONTROL.retire) {
    for (const name of names ?? []) await send(name);
    return Response.json({});
  }
  if (object === undefined) return Response.json({ error: "the call names no object" }, { status: 400 });
  return send(object);
}
