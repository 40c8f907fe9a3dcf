// One `git cat-file` child that answers many questions. Requests are pipelined and answered in order; a child that dies is started anew.

import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import type { Socket } from "node:net";
import { WrkstError } from "../errors.js";
import { classify, gitArguments } from "./git.js";

export interface ObjectHeader {
  id: string;
  type: "commit" | "tree" | "blob" | "tag";
  size: number;
}

export interface ObjectAnswer extends ObjectHeader {
  /** Empty in mode `--batch-check`. */
  bytes: Buffer;
}

interface Request {
  name: string;
  resolve(answer: ObjectAnswer | undefined): void;
  reject(error: Error): void;
}

export interface CatFile {
  /** The object of that name, or undefined where there is none. `name` must have been checked by grammar. */
  ask(name: string): Promise<ObjectAnswer | undefined>;
  close(): void;
}

export interface CatFileOptions {
  gitDir: string;
  environment: Record<string, string>;
  mode: "--batch" | "--batch-check";
  /** Milliseconds without a question after which the child is ended, until the next one; undefined: never. */
  idle?: number | undefined;
}

export function openCatFile(options: CatFileOptions): CatFile {
  let reader: Reader | undefined;
  let closed = false;
  const current = () => {
    if (!reader?.alive) reader = new Reader(options);
    return reader;
  };
  return {
    async ask(name) {
      if (closed) throw new WrkstError("ERR_GIT", "the repository was closed");
      if (/[\n\0]/.test(name)) throw new TypeError("an object name holds a line break");
      try {
        return await current().ask(name);
      } catch (error) {
        // Killed from outside, or a repository that was away for a moment: once more with a fresh child.
        if (closed) throw error;
        return current().ask(name);
      }
    },
    close() {
      closed = true;
      reader?.end();
    },
  };
}

class Reader {
  alive = true;
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #waiting: Request[] = [];
  #chunks: Buffer[] = [];
  #buffered = 0;
  #need = 0;
  #header: ObjectHeader | undefined;
  #stderr = "";
  readonly #contents: boolean;
  readonly #idle: number | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor({ gitDir, environment, mode, idle }: CatFileOptions) {
    this.#idle = idle;
    this.#contents = mode === "--batch";
    this.#child = spawn("git", [...gitArguments(gitDir), "cat-file", mode], { env: environment, windowsHide: true });
    this.#child.stdout.on("data", (chunk: Buffer) => this.#receive(chunk));
    this.#child.stderr.on("data", (chunk: Buffer) => {
      this.#stderr = (this.#stderr + chunk.toString("utf8")).slice(-4_000);
    });
    this.#child.stdin.on("error", () => {});
    this.#child.on("error", (cause) => this.#fail(new WrkstError("ERR_GIT", "git cannot be started", { cause })));
    this.#child.on("close", () => this.#fail(classify("reading objects", this.#stderr)));
    this.#hold(false);
  }

  ask(name: string): Promise<ObjectAnswer | undefined> {
    return new Promise((resolve, reject) => {
      if (this.#waiting.push({ name, resolve, reject }) === 1) this.#hold(true);
      this.#write(`${name}\n`);
    });
  }

  /** Requests of one turn of the event loop leave together: a thousand small writes cost more than the answers. */
  #write(line: string): void {
    const { stdin } = this.#child;
    if (stdin.writableCorked === 0) {
      stdin.cork();
      process.nextTick(() => stdin.uncork());
    }
    stdin.write(line);
  }

  end(): void {
    this.alive = false;
    clearTimeout(this.#timer);
    this.#child.stdin.end();
  }

  /** An idle child does not keep the agent running. */
  #hold(busy: boolean): void {
    clearTimeout(this.#timer);
    if (!busy && this.#idle !== undefined) this.#timer = setTimeout(() => this.end(), this.#idle).unref();
    const { stdin, stdout, stderr } = this.#child;
    // The pipes of a child are sockets, which its type does not say.
    for (const handle of [this.#child, ...([stdin, stdout, stderr] as unknown as Socket[])]) {
      if (busy) handle.ref();
      else handle.unref();
    }
  }

  #fail(error: Error): void {
    this.alive = false;
    clearTimeout(this.#timer);
    for (const request of this.#waiting.splice(0)) request.reject(error);
  }

  #receive(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#buffered += chunk.length;
    if (this.#buffered < this.#need) return;
    let buffer = this.#chunks.length === 1 ? chunk : Buffer.concat(this.#chunks, this.#buffered);
    for (;;) {
      const used = this.#header ? this.#takeContents(buffer, this.#header) : this.#takeHeader(buffer);
      if (used === 0) break;
      buffer = buffer.subarray(used);
    }
    this.#chunks = buffer.length === 0 ? [] : [buffer];
    this.#buffered = buffer.length;
    if (this.#waiting.length === 0) this.#hold(false);
  }

  #takeHeader(buffer: Buffer): number {
    const end = buffer.indexOf(10);
    if (end < 0) return 0;
    const line = buffer.toString("utf8", 0, end);
    const [, id, type, size] = /^([0-9a-f]{40,64}) (commit|tree|blob|tag) (\d+)$/.exec(line) ?? [];
    if (id === undefined) {
      this.#answer(undefined);
      return end + 1;
    }
    const header = { id, type: type as ObjectHeader["type"], size: Number(size) };
    if (this.#contents) {
      this.#header = header;
      this.#need = header.size + 1;
    } else this.#answer({ ...header, bytes: Buffer.alloc(0) });
    return end + 1;
  }

  #takeContents(buffer: Buffer, header: ObjectHeader): number {
    if (buffer.length < header.size + 1) return 0;
    this.#header = undefined;
    this.#need = 0;
    // A copy, so that a small object does not keep the whole chunk it came in.
    this.#answer({ ...header, bytes: Buffer.from(buffer.subarray(0, header.size)) });
    return header.size + 1;
  }

  #answer(answer: ObjectAnswer | undefined): void {
    this.#waiting.shift()?.resolve(answer);
  }
}
