// What functions say and throw, as text for people. Pure.

import { formatWithOptions, styleText } from "node:util";
import type { KeptLog, TailEvent } from "../agent/model.js";
import { describeError, printable } from "./wording.js";

type Colour = "red" | "yellow" | "gray" | "green";

const paint = (text: string, name: Colour | undefined, colour: boolean) =>
  colour && name ? styleText(name, text, { validateStream: false }) : text;

const LEVELS: Record<string, Colour> = { error: "red", warn: "yellow", debug: "gray" };

/** One invocation: what was asked, how it ended, what was said meanwhile. */
export function viewTailEvent(tail: TailEvent, colour: boolean): string {
  const { event, outcome, exceptions, logs, truncated } = tail;
  const ended = paint(outcome, outcome === "ok" ? "green" : "red", colour);
  const head = [new Date(tail.eventTimestamp).toISOString(), askedIn(event), ended];
  if (tail.wallTime !== undefined) head.push(`${Math.round(tail.wallTime)} ms`);
  return [
    head.join("  "),
    ...logs.flatMap(({ level, message }) =>
      indent(`${level}: ${formatWithOptions({ depth: 3 }, ...message)}`, LEVELS[level], colour),
    ),
    ...(truncated ? ["  …"] : []),
    ...exceptions.flatMap((one) => thrown({ ...one, message: `${one.name}: ${one.message}` }, colour)),
  ]
    .map((line) => `${line}\n`)
    .join("");
}

function askedIn(event: TailEvent["event"]): string {
  if (event === null) return "unknown event";
  if ("message" in event) return printable(event.message);
  return printable(`${event.request.method} ${event.request.url} ${event.response?.status ?? "-"}`);
}

/** Oldest first. */
export function viewLogs(logs: KeptLog[], colour: boolean): string {
  const lines = [...logs]
    .sort((a, b) => a.at - b.at || a.id - b.id)
    .flatMap((log) => {
      const asked = log.path === undefined ? "" : `  (${printable(`${log.method ?? ""} ${log.path}`)})`;
      const head = `${new Date(log.at).toISOString()}  ${paint(log.level, LEVELS[log.level], colour)}${asked}`;
      return [head, ...(log.kind === "exception" ? thrown(log, colour) : indent(log.message, undefined, colour))];
    });
  return lines.map((line) => `${line}\n`).join("");
}

interface Thrown {
  message: string;
  stack?: string;
  position?: { file: string; line?: number; column?: number };
}

function thrown({ message, stack, position }: Thrown, colour: boolean): string[] {
  const frames = (stack ?? "").split("\n").filter((line) => /^\s*at /.test(line));
  const sentence = describeError({ message, ...(position ? { position } : {}) });
  return [...indent(sentence, "red", colour), ...frames.map((frame) => `    ${printable(frame.trim())}`)];
}

/** Lines of a function, which may hold what a terminal would obey. */
function indent(text: string, name: Colour | undefined, colour: boolean): string[] {
  return text.split(/\r?\n/).map((line) => `  ${paint(printable(line), name, colour)}`);
}
