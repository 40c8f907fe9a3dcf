// What ends the command with exit code 1: a sentence, and something to do.

import type { ErrorReport } from "../agent/errors.js";
import { describeError, printable, TEXT } from "./wording.js";

export class Failure extends Error {
  readonly hint: string | undefined;
  constructor(message: string, hint?: string) {
    super(message);
    this.hint = hint;
  }
}

/** Ends the command with an exit code of its own, after all has been said. */
export class Verdict extends Error {
  readonly exitCode: number;
  constructor(exitCode: number) {
    super(`exit code ${exitCode}`);
    this.exitCode = exitCode;
  }
}

/** Any thrown value as a sentence and a hint: the bundler and the reader of wrangler files throw errors of the platform. */
export function failureOf(thrown: unknown): Failure {
  if (thrown instanceof Failure) return thrown;
  if (isCutOff(thrown)) return new Failure(TEXT.cutOff, TEXT.isItRunning);
  if (!(thrown instanceof Error)) return new Failure(printable(String(thrown)));
  const { hint, position } = thrown as Error & Partial<ErrorReport>;
  const message = describeError({ message: thrown.message, ...(position ? { position } : {}) });
  return new Failure(printable(message), hint === undefined ? undefined : printable(hint));
}

const CUT_OFF = ["ECONNRESET", "EPIPE", "UND_ERR_SOCKET"];

/** Whether it is the other side that ended a connection, while it was asked or while it answered. */
export function isCutOff(thrown: unknown): boolean {
  if (!(thrown instanceof Error)) return false;
  const { code } = (thrown.cause ?? {}) as { code?: unknown };
  return typeof code === "string" && CUT_OFF.includes(code);
}
