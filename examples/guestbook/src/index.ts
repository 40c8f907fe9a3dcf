// A database: a guest book that keeps what people write into its form.
//
//   open http://guestbook.localhost:8080
//   curl http://guestbook.localhost:8080 -d name=Ada -d "message=What a machine"
//   npx wrkst d1 execute guestbook --command "SELECT * FROM entries"

import { escapeHtml, page } from "../../shared/html";

interface Env {
  DB: D1Database;
}

interface Entry {
  id: number;
  name: string;
  message: string;
  written_at: string;
}

const LIMIT = { name: 60, message: 500, body: 16 * 1024 };
const ENTRIES_PER_PAGE = 20;

export default {
  async fetch(request, env) {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname !== "/") return new Response("Not found\n", { status: 404 });
    if (request.method === "POST") return write(request, env.DB);
    if (request.method !== "GET" && request.method !== "HEAD") {
      return new Response("Method not allowed\n", { status: 405, headers: { allow: "GET, HEAD, POST" } });
    }
    return show(env.DB, { before: Number(searchParams.get("before")) || Number.MAX_SAFE_INTEGER });
  },
} satisfies ExportedHandler<Env>;

/** Answers with a redirect, so that reloading the page does not write again. */
async function write(request: Request, db: D1Database): Promise<Response> {
  // Asked before the body is read: a function that holds whatever it is sent can be filled up by anybody.
  const length = Number(request.headers.get("content-length") ?? Number.POSITIVE_INFINITY);
  if (length > LIMIT.body) return new Response("Too much text\n", { status: 413 });
  const form = await request.formData().catch(() => new FormData());
  const [name, message] = [textOf(form, "name"), textOf(form, "message")];
  const problem = problemOf(name, LIMIT.name, "a name") ?? problemOf(message, LIMIT.message, "a message");
  if (problem) return show(db, { name, message, problem });
  // Values are bound, never written into the SQL.
  await db.prepare("INSERT INTO entries (name, message) VALUES (?, ?)").bind(name, message).run();
  return new Response(null, { status: 303, headers: { location: "/" } });
}

function textOf(form: FormData, field: string): string {
  const value = form.get(field);
  // Browsers send lines as CRLF, and count them as one character.
  return typeof value === "string" ? value.replaceAll("\r\n", "\n").trim() : "";
}

function problemOf(text: string, limit: number, what: string): string | undefined {
  if (text === "") return `Please write ${what}.`;
  // Counted as SQLite does, by characters: an emoji is one.
  if ([...text].length > limit) return `Please write ${what} of at most ${limit} characters.`;
  // SQLite's texts end at a NUL.
  return text.includes("\0") ? `Please write ${what} without control characters.` : undefined;
}

interface View {
  before?: number;
  /** What a form that was refused held: nobody should have to write it again. */
  name?: string;
  message?: string;
  problem?: string;
}

async function show(db: D1Database, { before = Number.MAX_SAFE_INTEGER, ...view }: View): Promise<Response> {
  const { results } = await db
    .prepare("SELECT id, name, message, written_at FROM entries WHERE id < ? ORDER BY id DESC LIMIT ?")
    .bind(before, ENTRIES_PER_PAGE)
    .all<Entry>();
  const last = results.at(-1);
  const older = last && results.length === ENTRIES_PER_PAGE ? `<a href="/?before=${last.id}">Older</a>` : "";
  const body = `${formOf(view)}\n  ${results.map(htmlOf).join("\n  ") || "<p>Nobody has written yet.</p>"}\n  ${older}`;
  return page("Guest book", body, {
    status: view.problem ? 422 : 200,
    headers: { "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'" },
  });
}

function formOf({ name = "", message = "", problem }: View): string {
  return `<form method="post" action="/">
    ${problem ? `<p role="alert">${escapeHtml(problem)}</p>` : ""}
    <p><label>Name <input name="name" required maxlength="${LIMIT.name}" value="${escapeHtml(name)}"></label></p>
    <p><label>Message <textarea name="message" required maxlength="${LIMIT.message}" rows="3">${escapeHtml(message)}</textarea></label></p>
    <p><button>Write</button></p>
  </form>`;
}

function htmlOf({ name, message, written_at }: Entry): string {
  return `<article><p style="white-space: pre-line">${escapeHtml(message)}</p><p>– ${escapeHtml(name)}, <time>${written_at} UTC</time></p></article>`;
}
