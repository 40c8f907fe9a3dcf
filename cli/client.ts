// Asks the server, and turns whatever goes wrong into a sentence. Invariant: the token follows no redirect.

import { type CredentialOptions, findToken, isLoopback } from "./credentials.js";
import { Failure } from "./failure.js";
import { describeError, printable, says, TEXT } from "./wording.js";

export interface ClientOptions extends Omit<CredentialOptions, "url"> {
  url?: string | undefined;
  warn: (sentence: string) => void;
}

export interface Client {
  /** The JSON that the server answers. @throws Failure */
  ask<T>(method: "GET" | "POST", path: string, options?: { timeout?: number }): Promise<T>;
}

export function createClient({ url: given, warn, ...options }: ClientOptions): Client {
  const url = parseUrl(given ?? (options.env.WRKST_URL || "http://localhost:8080"));
  const token = findToken({ ...options, url });
  if (token && url.protocol === "http:" && !isLoopback(url)) warn(says.openWire(url.host));
  return {
    async ask<T>(method: "GET" | "POST", path: string, { timeout = 30_000 } = {}) {
      const headers = { accept: "application/json", ...(token ? { authorization: `Bearer ${token}` } : {}) };
      const signal = AbortSignal.timeout(timeout);
      const response = await fetch(new URL(path, url), { method, headers, redirect: "manual", signal }).catch(
        (error) => {
          throw new Failure(says.unreachable(url.origin, reasonOf(error)), TEXT.isItRunning);
        },
      );
      const body: unknown = await response.json().catch(() => undefined);
      if (response.ok && typeof body === "object" && body !== null) return body as T;
      throw problemOf(body, response.status, { url, token });
    },
  };
}

function parseUrl(raw: string): URL {
  const url = URL.canParse(raw) ? new URL(raw) : undefined;
  if (url && /^https?:$/.test(url.protocol)) return url;
  throw new Failure(says.badUrl(raw));
}

function reasonOf(error: Error & { cause?: { code?: string; message?: string } }): string {
  if (error.name === "TimeoutError") return "no answer in time";
  return error.cause?.code === "ECONNREFUSED"
    ? "nothing listens there"
    : (error.cause?.message ?? error.cause?.code ?? error.message);
}

/** A problem document (RFC 9457) as a failure; anything else is not our server. */
function problemOf(body: unknown, status: number, { url, token }: { url: URL; token: string | undefined }): Failure {
  const problem = (body ?? {}) as { detail?: unknown; hint?: unknown; code?: unknown; position?: { file: string } };
  if (typeof problem.detail !== "string" || typeof problem.code !== "string") {
    return new Failure(says.noApi(url.origin, status), TEXT.isItWrkst);
  }
  const message = printable(
    describeError({ message: problem.detail, ...problem } as Parameters<typeof describeError>[0]),
  );
  if (status === 401) return new Failure(message, token ? TEXT.wrongToken : TEXT.noToken);
  return new Failure(message, typeof problem.hint === "string" ? printable(problem.hint) : undefined);
}
