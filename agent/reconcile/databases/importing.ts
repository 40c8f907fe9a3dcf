// A file of SQL into a database: all of it or nothing, and never all of it in memory.
import { createReadStream, statSync } from "node:fs";
import type { D1Meta, D1ScriptAnswer } from "../../../runtime/d1/wire.js";
import { createSplitter, type SqlStatement } from "../../databases/index.js";
import { WrkstError } from "../../errors.js";
import type { Actor, Database, DatabaseRef } from "../../model.js";
import type { Rehearsal } from "../../runtime/rehearsal.js";
import { IMPORT_LIMIT } from "../databases.js";
import { belongingTo } from "./belonging.js";
import { sqlError } from "./calling.js";
import type { Closing } from "./closing.js";
import type { ContentContext } from "./content-context.js";
import { LARGEST_COPY, type Moving } from "./moving.js";
import type { Restoring } from "./restoring.js";
import type { Snapshotting } from "./snapshotting.js";

/** Characters of SQL in one message, which is one transaction: where nobody waits for it, and where everybody does. */
const PART = { copy: 12 * 2 ** 20, place: 4 * 2 ** 20 };
/** Milliseconds of processor time for one, where nobody waits for it. */
const PART_LIMIT = 40_000;
/** Bytes of a file for which whoever wants to write may wait; for more of it, functions are refused. */
const SHORT = 4 * 2 ** 20;
/** No statement is longer, by far. */
const LONGEST_STATEMENT = 2 ** 20;
const DEFER = "PRAGMA defer_foreign_keys = TRUE;\n";

interface Done {
  queries: number;
  meta: D1Meta;
}

interface ImportingParts {
  snapshotting: Snapshotting;
  restoring: Restoring;
  closing: Closing;
  moving: Moving;
}

/** Runs one message. @throws WrkstError ERR_SQL where it must not go on */
type RunPart = (sql: string) => Promise<D1ScriptAnswer>;

export function createImporting(context: ContentContext, { snapshotting, restoring, closing, moving }: ImportingParts) {
  const { runtime, registry } = context.deps;

  async function importFile(of: DatabaseRef, file: string, by: Actor) {
    const { size } = statSync(file);
    if (size > IMPORT_LIMIT) throw tooLarge(size);
    return context.inTurn(of, async (database) => {
      if (context.size(database) <= LARGEST_COPY) return importByCopy(database, { file, size, by });
      if (size > PART.place) return importLarge(database, file, by);
      const { id: snapshot } = await snapshotting.take(database, "import");
      const done = await runAll(file, PART.place, inPlace(database));
      registry.addEvent(eventOf(database, snapshot, by));
      return { ...done, snapshot };
    });
  }

  /** Nothing of it runs where functions do. */
  async function importByCopy(database: Database, { file, size, by }: { file: string; size: number; by: Actor }) {
    const object = context.object(database);
    if (size > SHORT) await closing.hold(object);
    try {
      const { result, snapshot } = await moving.move(database, {
        ...{ cause: "import", alsoEmpty: true },
        work: (rehearsal, copy) => runAll(file, PART.copy, onCopy(rehearsal, copy)),
        event: (before) => eventOf(database, before!.id, by),
      });
      return { ...result, snapshot: snapshot!.id };
    } finally {
      if (size > SHORT) await closing.release(object);
    }
  }

  const inPlace =
    (database: Database): RunPart =>
    (sql) =>
      runtime.script({ object: context.object(database), sql, quiet: true });

  const onCopy =
    (rehearsal: Rehearsal, object: string): RunPart =>
    async (sql) => {
      const ran = await rehearsal.script({ object, sql, quiet: true }, PART_LIMIT);
      if (ran.kind === "answer") return ran.answer;
      throw new WrkstError("ERR_SQL", `the import was given up: ${ran.reason}`, {
        hint: "nothing was changed: import it in several files",
      });
    };

  function eventOf(database: Database, snapshot: string, actor: Actor) {
    const message = `SQL was imported into the database "${database.name}" by ${actor.name}; what was there is ${snapshot}`;
    return { kind: "database.imported", ...belongingTo(database), message, actor };
  }

  /**
   * Into one above that, in the process that serves: several transactions, so on a copy, which becomes the database when all went
   * well. Meanwhile functions are refused: what they wrote would be lost.
   */
  async function importLarge(database: Database, file: string, by: Actor) {
    const object = context.object(database);
    await closing.hold(object);
    const life = context.deps.runtimeLife();
    try {
      const { id: snapshot } = await snapshotting.take(database, "import");
      const next = await restoring.placeNext(database, snapshot);
      try {
        const done = await runAll(file, PART.place, inPlace(next));
        if (context.deps.runtimeLife() !== life) throw restarted(database);
        await restoring.switchOver(database, next, eventOf(database, snapshot, by));
        return { ...done, snapshot };
      } catch (error) {
        if (!isHeldBy(next)) await restoring.drop(next);
        throw error;
      }
    } catch (error) {
      if (isHeldBy(database)) await closing.release(object);
      throw error;
    }
  }

  /** Also of one that was removed meanwhile. */
  function isHeldBy({ id, epoch }: Database): boolean {
    return registry.databases.byId(id)?.epoch === epoch;
  }

  async function runAll(file: string, part: number, run: RunPart): Promise<Done> {
    let done: Done | undefined;
    let isDeferred = false;
    for await (const { text, line, count } of partsOf(file, part)) {
      const sql = isDeferred ? DEFER + text : text;
      const answer = await run(sql);
      if (!answer.ok) throw sqlError(sql, answer, isDeferred ? line - 1 : line);
      done = sum(done, { queries: count, results: answer.results.map(({ meta }) => meta) });
      isDeferred ||= /\bPRAGMA\s+defer_foreign_keys\s*=\s*(on|true|1)\b/i.test(text.slice(0, 4096));
    }
    if (!done) throw new WrkstError("ERR_INVALID", "there is no statement in the file");
    return done;
  }

  return { import: importFile };
}

/** Whole statements, as many as fit into one message. */
async function* partsOf(file: string, most: number): AsyncGenerator<{ text: string; line: number; count: number }> {
  const splitter = createSplitter();
  let part: SqlStatement[] = [];
  let length = 0;
  const flush = () => {
    const flushed = { text: part.map(({ text }) => text).join(""), line: part[0]?.line ?? 1, count: part.length };
    part = [];
    length = 0;
    return flushed;
  };
  const add = function* (statements: SqlStatement[]) {
    for (const statement of statements) {
      if (length + statement.text.length > most && part.length) yield flush();
      part.push(statement);
      length += statement.text.length;
    }
  };
  for await (const chunk of textOf(file)) {
    yield* add(splitter.push(chunk));
    if (splitter.waiting() > LONGEST_STATEMENT) {
      throw new WrkstError("ERR_SQL", "statement too long: SQLITE_TOOBIG");
    }
  }
  yield* add(splitter.end());
  if (part.length) yield flush();
}

async function* textOf(file: string): AsyncGenerator<string> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  try {
    for await (const bytes of createReadStream(file, { highWaterMark: 2 ** 18 })) {
      yield decoder.decode(bytes as Uint8Array, { stream: true });
    }
    yield decoder.decode();
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new WrkstError("ERR_INVALID", "the file is not UTF-8 text", { cause: error });
  }
}

function sum(done: Done | undefined, { queries, results }: { queries: number; results: D1Meta[] }): Done | undefined {
  const metas = done ? [done.meta, ...results] : results;
  const last = metas.at(-1);
  if (!last) return done;
  const total = (key: "duration" | "changes" | "rows_read" | "rows_written") =>
    metas.reduce((sum, meta) => sum + meta[key], 0);
  const meta = {
    ...last,
    duration: total("duration"),
    timings: { sql_duration_ms: total("duration") },
    changes: total("changes"),
    changed_db: metas.some(({ changed_db }) => changed_db),
    rows_read: total("rows_read"),
    rows_written: total("rows_written"),
  };
  return { queries: (done?.queries ?? 0) + queries, meta };
}

/** Functions were not refused for a moment, and may have written what the copy does not have. */
function restarted({ name }: Database): WrkstError {
  return new WrkstError("ERR_CONFLICT", `the runtime was restarted while SQL was imported into "${name}"`, {
    hint: "nothing was changed: import it again",
  });
}

function tooLarge(size: number): WrkstError {
  return new WrkstError("ERR_TOO_LARGE", `expected a file of at most ${IMPORT_LIMIT} bytes, received ${size}`, {
    hint: "import it in parts",
  });
}
