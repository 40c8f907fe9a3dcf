// One database: a SQLite-backed object that answers workerd's D1 client, and the agent. Whoever holds its stub, as the isolates
// of functions do, can send it statements and nothing else: it has no methods, and the agent's calls need the key of key.ts.
import { DurableObject } from "cloudflare:workers";
import type { RouterBindings } from "../bindings.js";
import { logLine } from "../log.js";
import { answerOf, failureOf, formatOf } from "./answers.js";
import { jsonOf } from "./body.js";
import { BOOKMARK_HEADER, createBookmarks } from "./bookmarks.js";
import { calls } from "./calls.js";
import { closed } from "./closed.js";
import { dumpOf } from "./dump.js";
import { createExecution, type Execution, StatementFailure } from "./execution.js";
import { isPrivileged } from "./key.js";
import { handedOn, moves } from "./moves.js";
import { runScript } from "./script.js";
import { createStats, shortened } from "./stats.js";
import { streamOf } from "./stream.js";
import {
  D1_CONTROL,
  type D1Call,
  type D1CallAnswer,
  type D1Dump,
  type D1Held,
  type D1Hold,
  type D1Meta,
  type D1Script,
  type D1ScriptAnswer,
  type D1Settings,
  type D1Statement,
  type D1Succession,
  MAX_CALL,
} from "./wire.js";

/** Of all objects of the process. */
export const stats = createStats(Date.now);

export class D1Database extends DurableObject<RouterBindings> {
  readonly #name: string;
  readonly #settings: D1Settings;
  readonly #sql: SqlStorage;
  readonly #execution: Execution;
  readonly #bookmark = createBookmarks(Date.now);
  /** Differs each time that it comes into memory. */
  #life: string | undefined;
  /** Present while the database is written out: until it settles, nothing is written to it. */
  #dumping: Promise<void> | undefined;

  constructor(state: DurableObjectState, env: RouterBindings) {
    super(state, env);
    this.#name = state.id.name ?? state.id.toString();
    this.#settings = env.SETTINGS.d1;
    this.#sql = state.storage.sql;
    this.#execution = createExecution(state.storage, this.#settings, (sql, meta) => this.#count(sql, meta));
  }

  override fetch(request: Request): Promise<Response> {
    const path = pathOf(request.url);
    if (request.method === "POST") {
      if (path === "/query" || path === "/execute") {
        const senders = () => calls.sendersOf(this.#name, request);
        return calls.during(senders, () => this.#query(request, path, senders));
      }
      if (isPrivileged(request)) return this.#control(path, request);
    }
    return Promise.resolve(refused(404, "Not found"));
  }

  async #query(request: Request, path: "/query" | "/execute", senders: () => string[]): Promise<Response> {
    const sent = request.headers.get(BOOKMARK_HEADER);
    let format = formatOf(path, request.url, undefined);
    let answer: unknown;
    try {
      const body = (await jsonOf(request, MAX_CALL)) as D1Statement | D1Statement[];
      format = formatOf(path, request.url, body);
      const statements = Array.isArray(body) ? body : [body];
      if (this.#mustStay && !this.#execution.onlyReads(statements)) await this.#untilWritable();
      const successor = this.#successor;
      if (successor) return await successor.fetch(handedOn(request, body));
      const reason = closed.reasonFor(this.#name, false);
      if (reason) throw new Error(reason);
      const wanted = { rows: format !== "none", room: this.#settings.maxResult };
      const ran = calls.run(senders, () => this.#execution.run(statements, wanted));
      answer = ran.map((one) => answerOf(one, format));
    } catch (error) {
      answer = failureOf(error, format);
    }
    const text = JSON.stringify(answer);
    return sent ? new Response(text, { headers: { [BOOKMARK_HEADER]: this.#bookmark(sent) } }) : new Response(text);
  }

  /** The agent's calls. Its statements are nobody's of the functions, whatever they do to the process. */
  async #control(path: string, request: Request): Promise<Response> {
    const body = (await request.json()) as { isOwn?: boolean };
    if (path === D1_CONTROL.hold) return this.#hold(body as unknown as D1Hold);
    if (path === D1_CONTROL.succeed) return this.#succeed(body as unknown as D1Succession);
    if (this.#dumping || (moves.isHeld(this.#name) && !body.isOwn)) await this.#untilWritable();
    const successor = this.#successor;
    if (successor) return successor.fetch(handedOn(request, body));
    const reason = closed.reasonFor(this.#name, true);
    if (path === D1_CONTROL.dump) return reason ? refused(410, reason) : this.#dump(body as unknown as D1Dump);
    if (reason) return Response.json({ ok: false, error: reason, statement: 0, offset: 0 });
    if (path === D1_CONTROL.call) return Response.json(calls.runAgents(() => this.#call(body as unknown as D1Call)));
    if (path === D1_CONTROL.script) return Response.json(this.#script(body as unknown as D1Script));
    return refused(404, "Not found");
  }

  #script(script: D1Script): D1ScriptAnswer {
    const { sender } = script;
    const run = () => runScript(this.#execution, script);
    return sender === undefined ? calls.runAgents(run) : calls.run(() => [sender], run);
  }

  /** Whether writes have to wait. */
  get #mustStay(): boolean {
    return this.#dumping !== undefined || moves.isHeld(this.#name);
  }

  async #untilWritable(): Promise<void> {
    while (this.#mustStay) await (this.#dumping ?? moves.look());
  }

  get #successor(): Fetcher | undefined {
    const name = moves.successorOf(this.#name);
    return name === undefined ? undefined : this.env.DATABASES?.getByName(name);
  }

  /** The answer leaves when all that was written before is on the disk. */
  #hold({ on }: D1Hold): Response {
    moves.hold(this.#name, on);
    this.#life ??= crypto.randomUUID();
    return Response.json({ state: `${this.#life}.${this.#execution.writes}` } satisfies D1Held);
  }

  #succeed({ by }: D1Succession): Response {
    calls.inherit(this.#name, by);
    moves.succeed(this.#name, by);
    return Response.json({});
  }

  #call({ statements, isOwn = false }: D1Call): D1CallAnswer {
    const wanted = { rows: true, room: MAX_CALL, ...(isOwn ? { counted: 0 } : {}) };
    try {
      return { ok: true, results: this.#execution.run(statements, wanted) };
    } catch (error) {
      if (!(error instanceof StatementFailure)) throw error;
      return { ok: false, error: error.message, statement: error.statement };
    }
  }

  /** What is read is one state: whoever wants to write waits for the end. */
  #dump(wanted: D1Dump): Response {
    let pieces: Generator<string>;
    try {
      pieces = calls.runAgents(() => dumpOf(this.#sql, wanted));
    } catch (error) {
      return refused(422, (error as Error).message);
    }
    const { stream, ended } = streamOf(pieces, calls.runAgents);
    this.#dumping = ended.then(() => {
      this.#dumping = undefined;
    });
    return new Response(stream);
  }

  #count(sql: string, meta: D1Meta | undefined): void {
    stats.count(this.#name, sql, meta);
    if (!meta || meta.duration < this.#settings.slow) return;
    const message = `took ${Math.round(meta.duration)} ms, read ${meta.rows_read} rows: ${shortened(sql)}`;
    logLine({ event: "d1.slow-query", object: this.#name, message });
  }
}

/** Host and scheme are the caller's fancy. */
function pathOf(url: string): string {
  const start = url.indexOf("/", "https://".length);
  const end = url.indexOf("?", start);
  return end === -1 ? url.slice(start) : url.slice(start, end);
}

function refused(status: number, error: string): Response {
  return Response.json({ error }, { status });
}
