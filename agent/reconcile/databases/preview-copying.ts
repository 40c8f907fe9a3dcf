// Copies of databases for one preview, with the migrations that its functions bring. What a copy was migrated by is noted with it: a
// file that is changed or gone later is answered by a copy made anew. What production has is only ever read.
import { createHash } from "node:crypto";
import { objectFile, pendingOf, sizeOf } from "../../databases/index.js";
import { WrkstError } from "../../errors.js";
import type { Database, Migration, MigrationSet, Warning } from "../../model.js";
import { type AppliedMigration, COPY_EPOCH, type CopyRecord, copyObject } from "../../store/index.js";
import type { ContentContext } from "./content-context.js";
import type { FileMigrating } from "./copy-migrating.js";
import type { Migrating } from "./migrating.js";

/** A database that a preview has a copy of. */
export interface CopyWanted {
  /** Id of the database, or the name of another thing, which begins empty. */
  key: string;
  /** What functions of the preview bring for it. */
  brought: { function: string; set: MigrationSet }[];
}

export interface PreviewCopies {
  warnings: Warning[];
  /** By key: why nothing pending was applied there. The copy is without it then. */
  errors: Map<string, WrkstError>;
}

export interface PreviewWork {
  wanted: CopyWanted[];
  /** Functions that failed before, so that what they bring is not known. */
  unknown: ReadonlySet<string>;
  signal: AbortSignal;
}

export interface PreviewCopyingParts {
  migrating: Pick<Migrating, "appliedIn" | "appliedNames">;
  migrateFile: FileMigrating;
  erase(copy: CopyRecord): void;
  /** Bytes of a database; a preview of a larger one begins empty. */
  most: number;
}

type Work = { set: MigrationSet; pending: Migration[] }[];

/** `holder`: of the rows of copies. Settles when each is there. @throws WrkstError; what was made before stays */
export function createPreviewCopying(context: ContentContext, parts: PreviewCopyingParts) {
  const { dataDir, files, registry, runtime } = context.deps;
  const { copies, databases } = registry;
  const fileOf = ({ id }: CopyRecord) => objectFile(dataDir, id, COPY_EPOCH);

  async function bringAll(holder: string, { wanted, unknown, signal }: PreviewWork): Promise<PreviewCopies> {
    const done: PreviewCopies = { warnings: [], errors: new Map() };
    for (const one of wanted) {
      signal.throwIfAborted();
      const ready = copies.all().filter(({ version, state }) => version === holder && state === "ready");
      const present = ready.find(({ database }) => database === one.key);
      const changed = present ? changedOf(present.applied, one, unknown) : [];
      const isAnew = !present || changed.length > 0;
      try {
        if (isAnew) await begin({ holder, present, wanted: one, signal });
        else await goOn(present, one, signal);
        done.warnings.push(...told(one.key, changed));
      } catch (error) {
        if (!(error instanceof WrkstError) || error.code !== "ERR_MIGRATION") throw error;
        done.errors.set(one.key, error);
        if (!present) await begin({ holder, present, wanted: { ...one, brought: [] }, signal });
      }
    }
    return done;
  }

  function told(key: string, changed: string[]): Warning[] {
    const database = databases.byId(key);
    const name = database?.name ?? key.replace(/^new:/, "");
    const isLarge = database && context.size(database) > parts.most;
    return [
      ...(isLarge ? [`the database "${name}" is larger than 256 MiB: the preview began with an empty one`] : []),
      ...changed.map(
        (file) =>
          `the migration "${file}" was changed or removed after it was applied here: the preview has a fresh copy of "${name}"`,
      ),
    ].map((message) => ({ message }));
  }

  /** From what production has now, in the place of what there is. */
  async function begin(from: {
    holder: string;
    present: CopyRecord | undefined;
    wanted: CopyWanted;
    signal: AbortSignal;
  }) {
    const database = databases.byId(from.wanted.key);
    if (!database) return make(from, undefined);
    await context.inTurn({ account: database.account, database: database.id }, (one) => make(from, one));
  }

  async function make(
    { holder, present, wanted, signal }: Parameters<typeof begin>[0],
    database: Database | undefined,
  ): Promise<void> {
    const size = database ? context.size(database) : 0;
    const live = database && size > 0 && size <= parts.most ? context.file(database) : null;
    const work = await pendingIn(wanted, async ({ table }) =>
      database && live !== null ? parts.migrating.appliedNames(database, table) : [],
    );
    const applied = notesOf(wanted, work);
    const row = { version: holder, database: wanted.key, function: "", applied };
    const next = present ? copies.beginNext(present, applied) : copies.begin(row);
    await fill(next, { from: live, work, signal });
    if (present) await replace(present, next);
    else copies.ready([next.id]);
  }

  async function goOn(present: CopyRecord, wanted: CopyWanted, signal: AbortSignal): Promise<void> {
    const place = { object: copyObject(present.id), file: fileOf(present) };
    const work = await pendingIn(wanted, ({ table }) => parts.migrating.appliedIn(place, table));
    if (!work.length) return;
    const next = copies.beginNext(present, [...present.applied, ...notesOf(wanted, work)]);
    let isHeld = true;
    // Nothing that is written meanwhile is lost: it waits, and goes to the next one.
    await runtime.hold(place.object, true);
    try {
      await fill(next, { from: sizeOf(place.file) > 0 ? place.file : null, work, signal });
      await replace(present, next);
      isHeld = false;
    } finally {
      if (isHeld) await runtime.hold(place.object, false).catch(() => {});
    }
  }

  async function fill(
    next: CopyRecord,
    { from, work, signal }: { from: string | null; work: Work; signal: AbortSignal },
  ) {
    try {
      if (work.length) await parts.migrateFile({ from, target: fileOf(next), work, signal });
      else if (from !== null) await files.placeLive(from, fileOf(next));
    } catch (error) {
      parts.erase(next);
      throw error;
    }
  }

  /** A process that does not hear of it is on its end, and the next one begins with what the registry says. */
  async function replace(present: CopyRecord, next: CopyRecord): Promise<void> {
    copies.succeed(present, next);
    await runtime.succeed(copyObject(present.id), copyObject(next.id)).catch(() => {});
  }

  return bringAll;
}

async function pendingIn({ brought }: CopyWanted, appliedBy: (set: MigrationSet) => Promise<string[]>): Promise<Work> {
  const work: Work = [];
  for (const { set } of brought) {
    const pending = pendingOf(set, await appliedBy(set));
    if (pending.length) work.push({ set, pending });
  }
  return work;
}

function notesOf({ brought }: CopyWanted, work: Work): AppliedMigration[] {
  return work.flatMap(({ set, pending }) => {
    const bringer = brought.find((one) => one.set === set)?.function ?? "";
    return pending.map(({ name, sql }) => ({ function: bringer, table: set.table, name, digest: digestOf(sql) }));
  });
}

/** Names of files that were applied to the copy, and are not there any more as they were. */
export function changedOf(
  applied: AppliedMigration[],
  { brought }: Pick<CopyWanted, "brought">,
  unknown: ReadonlySet<string>,
): string[] {
  const present = new Set(
    brought.flatMap(({ function: name, set }) =>
      set.migrations.map((one) => JSON.stringify([name, set.table, one.name, digestOf(one.sql)])),
    ),
  );
  const isGone = (one: AppliedMigration) =>
    !unknown.has(one.function) && !present.has(JSON.stringify([one.function, one.table, one.name, one.digest]));
  return applied.filter(isGone).map(({ name }) => name);
}

function digestOf(sql: string): string {
  return createHash("sha256").update(sql).digest("hex");
}
