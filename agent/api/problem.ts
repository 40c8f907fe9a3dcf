// Errors as RFC 9457 problem documents. Invariant: what the platform did not foresee is told to the log, never to the caller.

import { type ServerResponse, STATUS_CODES } from "node:http";
import { behaviourOf, type ErrorCode, reportOf, WrkstError } from "../errors.js";

export interface Problem {
  type: "about:blank";
  title: string;
  status: number;
  detail: string;
  code: ErrorCode;
  hint?: string;
  position?: { file: string; line?: number; column?: number };
  requestId: string;
}

/** Any thrown value as a problem. */
export function problemOf(thrown: unknown, requestId: string): Problem {
  const error = foreseen(thrown);
  const report = error ? reportOf(error) : undefined;
  const status = error ? behaviourOf(error.code).status : 500;
  return {
    type: "about:blank",
    title: STATUS_CODES[status] ?? "Error",
    status,
    detail: report?.message ?? "something went wrong inside the platform",
    code: report?.code ?? "ERR_INTERNAL",
    hint: report ? report.hint : `the log has the reason: look for "${requestId}"`,
    position: report?.position,
    requestId,
  } as Problem;
}

/** The error that was meant for the caller, or undefined. */
export function foreseen(thrown: unknown): WrkstError | undefined {
  if (thrown instanceof WrkstError) return thrown.code === "ERR_INTERNAL" ? undefined : thrown;
  const status = thrown instanceof Error && "status" in thrown ? thrown.status : undefined;
  return status === 400 ? new WrkstError("ERR_INVALID", "the address cannot be decoded") : undefined;
}

/** Sends a problem, unless something was sent before: then the connection is cut, so that nobody takes it for whole. */
export function sendProblem(
  res: ServerResponse,
  problem: Problem,
  shown: { type: string; body: object } = { type: "application/problem+json", body: problem },
): void {
  if (res.headersSent) {
    res.destroy();
    return;
  }
  const body = JSON.stringify(shown.body);
  if (!res.req.complete) res.setHeader("connection", "close");
  if (problem.status === 429 && !res.hasHeader("retry-after")) res.setHeader("retry-after", "60");
  res.statusCode = problem.status;
  res.setHeader("content-type", shown.type);
  res.setHeader("content-length", Buffer.byteLength(body));
  res.end(res.req.method === "HEAD" ? undefined : body);
}
