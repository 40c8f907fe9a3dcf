// The router's own answers. Pure; they never hold anything that a function said.
import { HEADER } from "./wire.js";

const PAGES = {
  ERR_NOT_FOUND: { status: 404, text: "nothing is served here" },
  ERR_FUNCTION: { status: 502, text: "the function failed" },
  ERR_LOAD: { status: 503, text: "the function could not be loaded" },
  ERR_NOT_READY: { status: 503, text: "no version of the function serves yet" },
  ERR_SUSPENDED: { status: 503, text: "the function is suspended" },
  ERR_QUARANTINED: { status: 503, text: "the function is quarantined" },
  ERR_API: { status: 503, text: "the API does not answer" },
} as const;

export type PageCode = keyof typeof PAGES;

/** The page, as JSON where the client asks for JSON, otherwise as plain text. */
export function page(
  request: { method: string; headers: { get(name: string): string | null } },
  code: PageCode,
  requestId: string,
): Response {
  const { status, text } = PAGES[code];
  const isJson = prefersJson(request.headers.get("accept") ?? "");
  const body = isJson
    ? `${JSON.stringify({ error: { code, message: text, requestId } })}\n`
    : `${status} ${text}\n\ncode: ${code}\nrequest: ${requestId}\n`;
  const headers: Record<string, string> = {
    "content-type": isJson ? "application/json" : "text/plain; charset=utf-8",
    "cache-control": "no-store",
    [HEADER.requestId]: requestId,
  };
  if (status === 503) headers["retry-after"] = "1";
  return new Response(request.method === "HEAD" ? null : body, { status, headers });
}

function prefersJson(accept: string): boolean {
  const types = accept.split(",").map((part) => part.split(";")[0]!.trim().toLowerCase());
  const first = types.findIndex((type) => type === "application/json" || type.endsWith("+json"));
  const text = types.findIndex((type) => type.startsWith("text/"));
  return first !== -1 && (text === -1 || first < text);
}
