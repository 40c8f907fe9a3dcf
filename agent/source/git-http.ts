// Smart HTTP for the embedded repository: runs `git http-backend` for each request and streams both ways. Whoever gets here was let in already.

import type { ChildProcess } from "node:child_process";
import type { IncomingMessage, ServerResponse } from "node:http";
import { basename } from "node:path";
import type { Readable, Writable } from "node:stream";
import { type CgiHead, readCgiHead } from "./cgi.js";
import { embeddedSettings, PUSH_MARKER } from "./embedded.js";
import { type BaseEnvironment, endGroup, gitEnvironment, spawnGroup } from "./git.js";
import { removeStaleLocks } from "./locks.js";
import { printable } from "./remote.js";

/** A reference that a push moved; null where it did not exist before, or no longer exists. */
export interface RefUpdate {
  ref: string;
  from: string | null;
  to: string | null;
}

export interface Push {
  updates: RefUpdate[];
  /** Who pushed, as the caller of the handler named them. */
  who: string;
  /** Sends one line to the pusher at once; does nothing when the pusher is gone. */
  write(line: string): void;
  /** Aborted when the handler is closed. A pusher who goes away does not abort it. */
  signal: AbortSignal;
}

export interface GitHandlerOptions {
  /** The bare repository. */
  dir: string;
  hooksDir: string;
  /** Called once the references have moved; the push of the client ends when it settles. */
  onPush(push: Push): Promise<void>;
  environment?: BaseEnvironment;
  maxInputSize?: number;
  /** Requests at the same time; more are told to come again (503). */
  concurrency?: number;
  /** Milliseconds without a byte in either direction after which a connection is given up. */
  idleTimeout?: number;
}

export interface GitHandler {
  /** `pathInfo`: the path below the mount, e.g. "/functions.git/info/refs". Answers 404 for what is not smart HTTP. */
  handle(req: IncomingMessage, res: ServerResponse, pathInfo: string, who: string): void;
  /** Ends what runs and waits for it. */
  close(): Promise<void>;
}

type Service = "git-upload-pack" | "git-receive-pack";

export function openGitHandler(options: GitHandlerOptions): GitHandler {
  const running = new Set<Exchange>();
  const closing = new AbortController();
  return {
    handle(req, res, pathInfo, who) {
      const target = readTarget(req, pathInfo, basename(options.dir));
      if ("status" in target) return refuse(req, res, target.status, target.text);
      if (closing.signal.aborted || running.size >= (options.concurrency ?? 64)) {
        res.setHeader("Retry-After", "2");
        return refuse(req, res, 503, "too many git requests at once: try again");
      }
      const exchange = new Exchange({ options, req, res, who, ...target, closing: closing.signal });
      running.add(exchange);
      exchange.done.finally(() => running.delete(exchange));
    },
    async close() {
      closing.abort();
      await Promise.all([...running].map((exchange) => exchange.done));
    },
  };
}

interface Target {
  service: Service;
  /** Below the repository. */
  path: "/info/refs" | "/git-upload-pack" | "/git-receive-pack";
}

/** Only what smart HTTP needs: two services, the reference list of each and the exchange of each. */
function readTarget(req: IncomingMessage, pathInfo: string, name: string): Target | { status: number; text: string } {
  const prefix = `/${name}`;
  const path = pathInfo.startsWith(`${prefix}/`) ? pathInfo.slice(prefix.length) : "";
  if (path === "/info/refs") {
    const service = new URL(req.url ?? "/", "http://localhost").searchParams.get("service");
    if (req.method !== "GET") return { status: 405, text: "expected GET" };
    if (service === "git-upload-pack" || service === "git-receive-pack") return { service, path };
    return { status: 403, text: "only smart HTTP is spoken here: use a current git" };
  }
  if (path === "/git-upload-pack" || path === "/git-receive-pack") {
    const service = path.slice(1) as Service;
    if (req.method !== "POST") return { status: 405, text: "expected POST" };
    if (req.headers["content-type"] !== `application/x-${service}-request`)
      return { status: 415, text: "unexpected content type" };
    return { service, path };
  }
  return { status: 404, text: "not found" };
}

function refuse(req: IncomingMessage, res: ServerResponse, status: number, text: string): void {
  req.resume();
  res.writeHead(status, { "Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-store" });
  res.end(`${text}\n`);
}

interface ExchangeOptions extends Target {
  options: GitHandlerOptions;
  req: IncomingMessage;
  res: ServerResponse;
  who: string;
  closing: AbortSignal;
}

/** One request and its process. Ends when the process has ended and the push it carried was dealt with. */
class Exchange {
  readonly done: Promise<void>;
  readonly #of: ExchangeOptions;
  #child: ChildProcess | undefined;
  #received = false;
  #push: Promise<void> | undefined;

  constructor(of: ExchangeOptions) {
    this.#of = of;
    this.done = this.#run().catch(() => {
      if (!of.res.headersSent) refuse(of.req, of.res, 500, "git failed");
      else of.res.destroy();
    });
  }

  async #run(): Promise<void> {
    const { options, req, res, closing, service } = this.#of;
    req.pause();
    // A receive-pack that was killed in mid-flight leaves a lock that would refuse every push from then on.
    if (service === "git-receive-pack") await removeStaleLocks(options.dir, Date.now() - 60_000);
    if (res.destroyed || closing.aborted) return void res.destroy();
    const child = spawnGroup("git", ["http-backend"], {
      env: this.#environment(),
      stdio: ["pipe", "pipe", "ignore", "pipe", "pipe"],
    });
    this.#child = child;
    const end = () => endGroup(child);
    closing.addEventListener("abort", end, { once: true });
    const ended = new Promise<void>((resolve, reject) => {
      child.once("error", reject);
      child.once("exit", () => resolve());
    });
    this.#listenToHook(child.stdio[3] as Readable, child.stdio[4] as Writable);
    this.#send(child.stdin!);
    this.#watchClient();
    try {
      await Promise.all([this.#answer(child.stdout!), ended]);
      await this.#push;
    } finally {
      closing.removeEventListener("abort", end);
      for (const stream of child.stdio) stream?.destroy();
    }
  }

  #environment(): Record<string, string> {
    const { options, req, who, path, service } = this.#of;
    const settings = {
      ...embeddedSettings(options.maxInputSize),
      "core.hooksPath": options.hooksDir,
      "core.fsmonitor": "false",
      "safe.directory": options.dir,
    };
    const pairs = Object.entries(settings).flatMap(([key, value], index) => [
      [`GIT_CONFIG_KEY_${index}`, key],
      [`GIT_CONFIG_VALUE_${index}`, value],
    ]);
    const {
      "content-type": type,
      "content-length": length,
      "content-encoding": encoding,
      "git-protocol": protocol,
    } = req.headers;
    return gitEnvironment(options.environment, {
      ...Object.fromEntries(pairs),
      GIT_CONFIG_COUNT: String(Object.keys(settings).length),
      PATH_TRANSLATED: `${options.dir}${path}`,
      GIT_HTTP_EXPORT_ALL: "1",
      REQUEST_METHOD: req.method ?? "GET",
      QUERY_STRING: path === "/info/refs" ? `service=${service}` : "",
      REMOTE_USER: printable(who, 200),
      [PUSH_MARKER]: "1",
      ...(type && { CONTENT_TYPE: type }),
      ...(length && /^\d+$/.test(length) && { CONTENT_LENGTH: length }),
      ...(encoding && /^(?:x-)?gzip$/.test(encoding) && { HTTP_CONTENT_ENCODING: encoding }),
      ...(typeof protocol === "string" && /^[\w=:.-]{1,100}$/.test(protocol) && { GIT_PROTOCOL: protocol }),
    });
  }

  #send(stdin: Writable): void {
    const { req } = this.#of;
    req.on("end", () => {
      this.#received = true;
    });
    // git that ended early, with a refusal, does not read the rest.
    stdin.on("error", () => {
      req.unpipe(stdin);
      req.resume();
    });
    req.pipe(stdin);
  }

  /**
   * A client who goes while it still sends ends the process: nothing has moved. Once everything was received the process
   * runs to its end, and its output is thrown away.
   */
  #watchClient(): void {
    const { res, req, options } = this.#of;
    let seen = -1;
    const timer = setInterval(() => {
      const moved = req.socket.bytesRead + req.socket.bytesWritten;
      if (moved === seen) req.socket.destroy();
      seen = moved;
    }, options.idleTimeout ?? 120_000);
    timer.unref();
    res.once("close", () => {
      clearInterval(timer);
      if (res.writableFinished || this.#push || !this.#child) return;
      if (!this.#received || this.#of.service === "git-upload-pack") endGroup(this.#child);
    });
  }

  /** Head, then body with backpressure; when the client is gone the body is read on, so that nobody waits for a reader. */
  async #answer(stdout: Readable): Promise<void> {
    const { res } = this.#of;
    const head = await readCgiHead(stdout);
    if (!head) {
      if (!res.headersSent) refuse(this.#of.req, res, 500, "git gave no answer");
      stdout.resume();
      return;
    }
    writeHead(res, head);
    for await (const chunk of stdout) {
      if (res.destroyed) continue;
      if (!res.write(chunk)) await drained(res);
    }
    res.end();
  }

  #listenToHook(from: Readable, to: Writable): void {
    let text = "";
    to.on("error", () => {});
    from.on("error", () => {});
    from.on("data", (chunk: Buffer) => {
      if (this.#push) return;
      text += chunk.toString("utf8");
      if (!/(?:^|\n)end\n$/.test(text)) return;
      this.#push = this.#deal(parseUpdates(text), to);
    });
  }

  async #deal(updates: RefUpdate[], to: Writable): Promise<void> {
    const { options, who, closing } = this.#of;
    const write = (line: string) => {
      if (to.writable) to.write(`${line}\n`);
    };
    try {
      await options.onPush({ updates, who, write, signal: closing });
    } catch (error) {
      write(error instanceof Error ? error.message : String(error));
    } finally {
      to.end();
    }
  }
}

function parseUpdates(text: string): RefUpdate[] {
  const given = (id: string) => (/^0+$/.test(id) ? null : id);
  return text.split("\n").flatMap((line) => {
    const [, from, to, ref] = /^([0-9a-f]{40}) ([0-9a-f]{40}) (refs\/.+)$/.exec(line) ?? [];
    return from && to && ref ? [{ ref, from: given(from), to: given(to) }] : [];
  });
}

function writeHead(res: ServerResponse, head: CgiHead): void {
  if (res.destroyed) return;
  res.writeHead(head.status, head.headers);
  res.flushHeaders();
}

function drained(res: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const go = () => {
      res.off("drain", go);
      res.off("close", go);
      resolve();
    };
    res.on("drain", go);
    res.on("close", go);
  });
}
