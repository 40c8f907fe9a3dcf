// A small server on a real socket that speaks the documents of API.md as far as the command needs them, and keeps what it
// was told. For tests of the command alone; `e2e/cli*.test.ts` ask a real agent.

import { createHash } from "node:crypto";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { PassThrough } from "node:stream";
import type { Io } from "./io.js";
import { run } from "./program.js";

export interface Request {
  method: string;
  path: string;
  query: URLSearchParams;
  authorization: string | undefined;
  lastEventId?: string;
  /** JSON, a form as an object, or undefined. */
  body: unknown;
  form?: FormData;
}

export interface Reply {
  status?: number;
  body?: unknown;
  /** Server-sent events instead; a text is a block as it stands. */
  events?: unknown[];
}

export type Answer = (request: Request, match: string[]) => Reply | unknown;

export interface TestServer {
  url: string;
  requests: Request[];
  /** Answers `METHOD /path` with `*` for one part of the path. Later ones go first. */
  on(route: string, answer: Answer): void;
  close(): Promise<void>;
}

/** An envelope of Cloudflare's shape. */
export const envelope = (result: unknown) => ({ success: true, errors: [], messages: [], result });

/** A refusal in an envelope. */
export function refusal(status: number, code: number, message: string, more: object = {}): Reply {
  return { status, body: { success: false, errors: [{ code, message, ...more }], messages: [], result: null } };
}

export function problem(status: number, code: string, detail: string, more: object = {}): Reply {
  return { status, body: { type: "about:blank", title: "Refused", status, code, detail, ...more } };
}

export async function serve(): Promise<TestServer> {
  const requests: Request[] = [];
  const routes: { method: string; pattern: RegExp; answer: Answer }[] = [];
  const server = createServer(async (req, res) => {
    const request = await parseRequest(req);
    requests.push(request);
    const route = routes.find(({ method, pattern }) => method === request.method && pattern.test(request.path));
    const match = route?.pattern.exec(request.path)?.slice(1).map(decodeURIComponent) ?? [];
    const reply = route ? await route.answer(request, match) : problem(404, "ERR_NOT_FOUND", "there is no such route");
    const { status = 200, body, events } = isReply(reply) ? reply : ({ body: reply } as Reply);
    if (events) {
      res.writeHead(status, { "content-type": "text/event-stream" }).write(": listening\n\n");
      return res.end(
        events.map((one) => (typeof one === "string" ? one : `data: ${JSON.stringify(one)}\n\n`)).join(""),
      );
    }
    res.writeHead(status, { "content-type": "application/json" }).end(body === undefined ? "" : JSON.stringify(body));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    on(route, answer) {
      const [method = "", path = ""] = route.split(" ");
      const pattern = new RegExp(`^${path.replaceAll("*", "([^/]+)")}$`);
      routes.unshift({ method, pattern, answer });
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

const isReply = (value: unknown): value is Reply =>
  typeof value === "object" &&
  value !== null &&
  Object.keys(value).every((key) => ["status", "body", "events"].includes(key));

async function parseRequest(req: IncomingMessage): Promise<Request> {
  const chunks: Buffer[] = [];
  for await (const chunk of req) chunks.push(chunk);
  const bytes = Buffer.concat(chunks);
  const { pathname, searchParams } = new URL(req.url ?? "/", "http://server");
  const type = req.headers["content-type"] ?? "";
  const { "last-event-id": lastEventId } = req.headers;
  const base = {
    method: req.method ?? "",
    path: pathname,
    query: searchParams,
    authorization: req.headers.authorization,
    ...(typeof lastEventId === "string" ? { lastEventId } : {}),
  };
  if (type.startsWith("multipart/")) {
    const form = await new Response(bytes, { headers: { "content-type": type } }).formData();
    return { ...base, body: undefined, form };
  }
  const text = bytes.toString();
  if (type.includes("urlencoded")) return { ...base, body: Object.fromEntries(new URLSearchParams(text)) };
  return { ...base, body: text ? JSON.parse(text) : undefined };
}

export interface Result {
  out: string;
  err: string;
  code: number;
}

export interface Setting {
  env?: Record<string, string>;
  folder: string;
  /** Configuration goes here. */
  home: string;
  /** Piped in; keys, where `isTerminal`. */
  input?: string;
  isTerminal?: boolean;
  colour?: boolean;
  now?: number;
  browse?: (url: string) => Promise<boolean>;
  signal?: AbortSignal;
}

/** Runs the command in this process. */
export async function wrkst(args: string[], setting: Setting): Promise<Result> {
  let [out, err] = ["", ""];
  const input = Object.assign(
    new PassThrough(),
    setting.isTerminal ? { isTTY: true, setRawMode: () => undefined } : {},
  );
  input.end(setting.input ?? "");
  const io: Io = {
    env: setting.env ?? {},
    folder: setting.folder,
    home: setting.home,
    system: "linux",
    input,
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    colour: setting.colour ?? false,
    now: () => setting.now ?? Date.now(),
    browse: setting.browse ?? (async () => false),
    signal: setting.signal ?? new AbortController().signal,
  };
  const code = await run(args, io);
  return { out, err, code };
}

/** A script as commands with what they should print. */
export function parseScript(text: string): { command: string; expected: string }[] {
  const [, ...blocks] = text.split(/^\$ /m);
  return blocks.map((block) => {
    const [command = "", ...lines] = block.trimEnd().split("\n");
    return { command, expected: lines.join("\n") };
  });
}

/** The words of a line, `'…'` kept together; `< '…'` is piped in; `| path` picks a value of JSON. */
export function parseLine(command: string): { args: string[]; input: string; pick: string | undefined } {
  const [line = "", pick] = command.split(" | ");
  const words = [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? "");
  const at = words.indexOf("<");
  const args = words.slice(1, at < 0 ? undefined : at);
  return { args, input: at < 0 ? "" : (words[at + 1] ?? ""), pick };
}

/** The result in the form of a script. */
export function transcript({ out, err, code }: Result, pick?: string): string {
  const shown = pick ? `${JSON.stringify(pick.split(".").reduce((value, key) => value[key], JSON.parse(out)))}\n` : out;
  const marked = err.replace(/^(?=.)/gm, "2> ");
  return `${shown}${marked}${code === 0 ? "" : `exit ${code}`}`.trimEnd();
}

const digest = (text: string) => createHash("sha256").update(text).digest("hex");
/** An id that looks like one and is always the same for the same text. */
export const idOf = (text: string) => digest(text).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12}).*/, "$1-$2-$3-$4-$5");
