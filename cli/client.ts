// Asks the server, and turns whatever goes wrong into a sentence. Invariant: the token follows no redirect.

import { Failure, isCutOff } from "./failure.js";
import { describeError, HINTS, printable, says, TEXT, VERSION } from "./wording.js";

export interface Ask {
  /** JSON, unless it is a form. */
  body?: unknown;
  /** In place of a body: bytes, read anew for every attempt. */
  stream?: () => AsyncIterable<Uint8Array>;
  /** Milliseconds; 0: no limit. */
  timeout?: number;
  headers?: Record<string, string>;
}

export type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

export interface Client {
  readonly url: URL;
  /** The JSON that the server answers, or the `result` of an envelope. @throws Failure, Refusal */
  ask<T>(method: Method, path: string, options?: Ask): Promise<T>;
  /** The answer itself, for what is read while it arrives. @throws Failure, Refusal */
  open(path: string, headers: Record<string, string>): Promise<Response>;
}

export interface ClientDeps {
  url: URL;
  /** The token to send; called again with the one that was refused. */
  token: (refused?: string) => Promise<string | undefined>;
  signal: AbortSignal;
  /** What to do about a missing token. */
  noToken: () => string;
}

/** What the server refuses. */
export class Refusal extends Failure {
  readonly status: number;
  /** Ours (`ERR_…`) or the number of an envelope. */
  readonly code: string;
  constructor(message: string, hint: string | undefined, reason: { status: number; code: string }) {
    super(message, hint);
    this.status = reason.status;
    this.code = reason.code;
  }
}

export function createClient(deps: ClientDeps): Client {
  return {
    url: deps.url,
    async ask<T>(method: Method, path: string, options: Ask = {}) {
      const { response, token } = await send(deps, method, path, options);
      const text = await response.text().catch((error) => {
        throw unreachable(deps, error);
      });
      const body = parseJson(text);
      if (response.ok && body !== undefined && !isFailedEnvelope(body)) return resultOf(body) as T;
      if (response.ok && text === "") return undefined as T;
      throw refusalOf(body, response.status, { deps, token });
    },
    async open(path, headers) {
      const { response, token } = await send(deps, "GET", path, { headers, timeout: 0 });
      if (response.ok) return response;
      throw refusalOf(parseJson(await response.text()), response.status, { deps, token });
    },
  };
}

/** A token that is refused is renewed once, where it can be. */
async function send(deps: ClientDeps, method: Method, path: string, options: Ask) {
  const token = await deps.token();
  const response = await sendOnce(deps, { method, path, token, options });
  if (response.status !== 401 || token === undefined) return { response, token };
  const renewed = await deps.token(token);
  if (renewed === undefined || renewed === token) return { response, token };
  await response.body?.cancel();
  return { response: await sendOnce(deps, { method, path, token: renewed, options }), token: renewed };
}

interface Sending {
  method: Method;
  path: string;
  token: string | undefined;
  options: Ask;
}

async function sendOnce({ url, signal }: ClientDeps, { method, path, token, options }: Sending): Promise<Response> {
  const { body, stream, timeout = 30_000, headers = {} } = options;
  const isForm = body instanceof FormData;
  const content = body === undefined || isForm ? {} : { "content-type": "application/json" };
  const sent = stream
    ? { body: stream(), duplex: "half" as const }
    : body === undefined
      ? {}
      : { body: isForm ? body : JSON.stringify(body) };
  const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
  return fetch(new URL(path, url), {
    method,
    headers: { accept: "application/json", "user-agent": `wrkst/${VERSION}`, ...content, ...authorization, ...headers },
    redirect: "manual",
    signal: timeout ? AbortSignal.any([signal, AbortSignal.timeout(timeout)]) : signal,
    ...sent,
  }).catch((error) => {
    throw unreachable({ url, signal }, error);
  });
}

function unreachable({ url, signal }: Pick<ClientDeps, "url" | "signal">, error: Unanswered): Error {
  return signal.aborted ? error : new Failure(says.unreachable(url.origin, reasonOf(error)), TEXT.isItRunning);
}

/** An object or list of JSON; undefined for anything else. */
export function parseJson(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

const isEnvelope = (body: object): body is { success: boolean; errors?: unknown; result?: unknown } =>
  "success" in body && typeof body.success === "boolean" && ("result" in body || "errors" in body);
const isFailedEnvelope = (body: object) => isEnvelope(body) && !body.success;
const resultOf = (body: object) => (isEnvelope(body) ? body.result : body);

type Unanswered = Error & { cause?: { code?: string; message?: string } };

/** Why a request got no answer, in few words. */
export function reasonOf(error: Unanswered): string {
  if (error.name === "TimeoutError") return "no answer in time";
  if (isCutOff(error)) return "the connection ended before the answer";
  return error.cause?.code === "ECONNREFUSED"
    ? "nothing listens there"
    : (error.cause?.message ?? error.cause?.code ?? error.message);
}

interface Reason {
  message: string;
  code: string;
  hint?: string;
  position?: { file: string; line?: number; column?: number };
}

/** A problem document (RFC 9457) or an envelope as a failure; anything else is not our server. */
function refusalOf(
  body: object | undefined,
  status: number,
  { deps, token }: { deps: ClientDeps; token: string | undefined },
): Failure {
  const reason = reasonIn(body ?? {});
  if (!reason) return new Failure(says.noApi(deps.url.origin, status), TEXT.isItWrkst);
  const message = printable(describeError(reason));
  const hint = reason.hint === undefined ? HINTS[reason.code] : printable(reason.hint);
  const instead = status === 401 ? (token === undefined ? deps.noToken() : TEXT.wrongToken) : undefined;
  return new Refusal(message, instead ?? hint, { status, code: reason.code });
}

function reasonIn(body: object): Reason | undefined {
  const raw = isEnvelope(body)
    ? firstOf(body.errors)
    : { ...body, message: "detail" in body ? body.detail : undefined };
  const { message, code: number, hint, position, meta } = (raw ?? {}) as Record<string, unknown>;
  const code = (meta as { code?: unknown } | undefined)?.code ?? number;
  if (typeof message !== "string" || (typeof code !== "string" && typeof code !== "number")) return undefined;
  return {
    message,
    code: String(code),
    ...(typeof hint === "string" ? { hint } : {}),
    ...(isPosition(position) ? { position } : {}),
  };
}

const firstOf = (errors: unknown): unknown => (Array.isArray(errors) ? errors[0] : undefined);

const isPosition = (value: unknown): value is NonNullable<Reason["position"]> =>
  typeof value === "object" && value !== null && "file" in value && typeof value.file === "string";
