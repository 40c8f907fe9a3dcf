// One database: a SQLite-backed object that answers workerd's D1 client, and the agent. Whoever holds its stub, as the isolates
// of functions do, can send it statements and nothing else: it has no methods, and the agent's calls need the key of key.ts.
import { DurableObject } from "cloudflare:workers";
import type { RouterBindings } from "../bindings.js";
import { calls } from "./calls.js";
import { closed } from "./closed.js";
import { createExecution, type Execution, type Ran } from "./execution.js";
import { isPrivileged } from "./key.js";
import { D1_CONTROL, type D1Answer, type D1Call, type D1Statement, type D1Value } from "./wire.js";

export class D1Database extends DurableObject<RouterBindings> {
  readonly #execution: Execution;
  readonly #limit: number;

  constructor(state: DurableObjectState, env: RouterBindings) {
    super(state, env);
    this.#execution = createExecution(state.storage);
    this.#limit = env.SETTINGS.d1.maxResult;
  }

  override fetch(request: Request): Promise<Response> {
    const call = { object: this.ctx.id.name, request };
    return calls.answer(call, (senders) => this.#handle(request, senders));
  }

  async #handle(request: Request, senders: string[]): Promise<Response> {
    const { url } = request;
    const path = pathOf(url);
    if (request.method !== "POST") return refused();
    const reason = closed.reasonFor(this.ctx.id.name ?? "", isPrivileged(request));
    if (reason) return Response.json({ success: false, ok: false, error: reason });
    if (path === "/query" || path === "/execute") {
      const body: D1Statement | D1Statement[] = await request.json();
      return calls.run(senders, () => this.#answer(body, url.endsWith("resultsFormat=ROWS_AND_COLUMNS")));
    }
    return isPrivileged(request) ? this.#control(path, request) : refused();
  }

  #answer(body: D1Statement | D1Statement[], isRaw: boolean): Response {
    const statements = Array.isArray(body) ? body : [body];
    let answer: D1Answer | D1Answer[];
    try {
      answer = this.#execution.all(statements, this.#limit).map((ran) => answerOf(ran, isRaw));
    } catch (error) {
      answer = { success: false, error: messageOf(error) };
    }
    return new Response(JSON.stringify(answer));
  }

  async #control(path: string, request: Request): Promise<Response> {
    if (path !== D1_CONTROL.call) return refused();
    const { statements }: D1Call = await request.json();
    try {
      const results = calls.run([], () => this.#execution.all(statements, Number.POSITIVE_INFINITY));
      return Response.json({ ok: true, results });
    } catch (error) {
      return Response.json({ ok: false, error: messageOf(error), statement: 0 });
    }
  }
}

/** Host and scheme are the caller's fancy. */
function pathOf(url: string): string {
  const start = url.indexOf("/", "https://".length);
  const end = url.indexOf("?", start);
  return end === -1 ? url.slice(start) : url.slice(start, end);
}

function refused(): Response {
  return Response.json({ error: "Not found" }, { status: 404 });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function answerOf({ columns, rows, meta }: Ran, isRaw: boolean): D1Answer {
  return { success: true, results: isRaw ? { columns, rows } : rows.map((row) => objectOf(columns, row)), meta };
}

function objectOf(columns: string[], row: D1Value[]): Record<string, D1Value> {
  return Object.fromEntries(columns.map((column, index) => [column, row[index]!]));
}
