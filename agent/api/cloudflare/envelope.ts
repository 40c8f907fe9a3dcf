// The envelope of the Cloudflare-shaped family: every answer, errors too, is `{ success, errors, messages, result }`.

import type { Response } from "express";
import type { Problem } from "../problem.js";
import type { Send } from "../routes.js";
import { numberOf } from "./codes.js";

/** Results that come in pages. */
export class Page {
  readonly items: unknown[];
  readonly info: object;

  constructor(items: unknown[], info: object) {
    this.items = items;
    this.info = info;
  }
}

/** What stands in no envelope. */
export class Bare {
  readonly body: object;

  constructor(body: object) {
    this.body = body;
  }
}

/** The page that the query asks for; past the end it is empty, where some clients stop. */
export function pageOf(items: unknown[], query: Record<string, unknown>): Page {
  const number = (name: string, otherwise: number) => {
    const value = Number(query[name]);
    return Number.isSafeInteger(value) && value > 0 ? value : otherwise;
  };
  const page = number("page", 1);
  const per_page = Math.min(number("per_page", 50), 1000);
  const shown = items.slice((page - 1) * per_page, page * per_page);
  return new Page(shown, { page, per_page, count: shown.length, total_count: items.length });
}

export const sendEnvelope: Send = (res, { value, headers }) => {
  if (value instanceof Bare) return void res.status(200).set(headers).json(value.body);
  const result = value instanceof Page ? value.items : (value ?? null);
  const info = value instanceof Page ? { result_info: value.info } : {};
  res
    .status(200)
    .set(headers)
    .json({ success: true, errors: [], messages: [], result, ...info });
};

/** A problem as this family words it: the number for the client, the code and the hint for people. */
export function envelopeOf({ detail, code, hint, position, requestId }: Problem, path = ""): object {
  const place = position ? `${[position.file, position.line, position.column].filter(Boolean).join(":")}: ` : "";
  const meta = { code, requestId };
  // One error for each name: clients look for the sentence.
  const sentences = code === "ERR_INHERIT" ? detail.split("; ") : [`${place}${detail}`];
  const errors = sentences.map((message) => ({ code: numberOf(code, path), message, ...(hint ? { hint } : {}), meta }));
  return { success: false, errors, messages: hint ? [{ code: 0, message: hint }] : [], result: null };
}

/** Not JSON: the client reads the bytes. */
export function sendBytes(res: Response, bytes: Uint8Array, headers: Record<string, string>): undefined {
  res.status(200).set(headers).end(bytes);
  return undefined;
}
