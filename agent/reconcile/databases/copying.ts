// Gives previews, and versions that never served, copies of their databases, and takes them away. What production has is only ever read. A copy is
// noted before its file is made and forgotten after it is gone; a version leads to it only while it is whole.
import { objectFile, removeObject, sizeOf } from "../../databases/index.js";
import { reportOf, WrkstError } from "../../errors.js";
import type { RoutedDatabase, RoutedFunction, RoutedVersion, Warning } from "../../model.js";
import { previewsOf, uncopiedOf } from "../../route/index.js";
import { COPY_EPOCH, type CopyRecord, copyObject, previewHolder } from "../../store/index.js";
import { createTurns } from "../turns.js";
import type { ContentContext } from "./content-context.js";

export interface Copying {
  /** Removes what a crash left behind. Before anything may open an object. */
  recover(): void;
  /**
   * Makes those that the versions lack, of databases as they are now. What fails, or is refused, is an event and a warning. The
   * caller publishes. Never rejects.
   */
  make(functionId: string, versions: string[]): Promise<Warning[]>;
  /**
   * Makes those that a preview lacks: `keys` are ids of databases, copied as they are now, or of other things, which begin empty. The
   * caller records and publishes. @throws WrkstError; what was made for it before stays
   */
  makeForPreview(previewId: string, keys: Iterable<string>): Promise<Warning[]>;
  /** Makes what is missing anywhere, removes what nobody needs. Never rejects. */
  tend(): Promise<void>;
  close(): Promise<void>;
}

/** Bytes of a database; a preview of a larger one begins empty. */
const MOST_BYTES = 256 * 2 ** 20;

export function createCopying(
  context: ContentContext,
  { log }: { log: { warn(fields: object, message: string): void } },
): Copying {
  const { registry, files, dataDir, runtime, publisher } = context.deps;
  const { copies, databases } = registry;
  /** For each function, so that nothing is copied twice. */
  const turns = createTurns();
  let tending: Promise<void> | undefined;
  let isAsked = false;
  let isClosed = false;

  const fileOf = (id: string) => objectFile(dataDir, id, COPY_EPOCH);
  const routed = (functionId: string) => registry.routeState().functions.find(({ id }) => id === functionId);

  function erase({ id }: CopyRecord): void {
    removeObject(fileOf(id));
    copies.forget(id);
  }

  function recover(): void {
    for (const copy of copies.all()) if (copy.state !== "ready") erase(copy);
  }

  function make(functionId: string, versions: string[]): Promise<Warning[]> {
    return turns.of(functionId, async () => {
      const warnings: Warning[] = [];
      for (const id of versions) warnings.push(...(await makeFor(functionId, id)));
      return warnings;
    });
  }

  async function makeFor(functionId: string, versionId: string): Promise<Warning[]> {
    const function_ = routed(functionId);
    const version = function_ && previewsOf(function_).find(({ id }) => id === versionId);
    if (!version) return [];
    try {
      return tell(function_, await copyAll(function_, version));
    } catch (error) {
      const { message } = reportOf(error);
      return tell(function_, [`version ${versionId.slice(0, 8)} has no copies of its databases: ${message}`]);
    }
  }

  function tell({ id, account, name }: RoutedFunction, messages: string[]): Warning[] {
    for (const message of messages) {
      log.warn({ function: name }, message);
      registry.addEvent({ kind: "database.not-copied", function: name, functionId: id, account, message });
    }
    return messages.map((message) => ({ message }));
  }

  /** All that it lacks, or nothing. Answers what is to be told. */
  async function copyAll(function_: RoutedFunction, version: RoutedVersion): Promise<string[]> {
    const begun: CopyRecord[] = [];
    const told: string[] = [];
    try {
      for (const database of uncopiedOf(version, function_)) {
        if (isClosed) throw new WrkstError("ERR_SUPERSEDED", "the agent is stopping");
        const copy = copies.begin({ version: version.id, database: database.id, function: function_.id });
        begun.push(copy);
        if (!(await copyOne(database, copy))) told.push(tooLarge(database, version));
      }
    } catch (error) {
      for (const copy of begun) erase(copy);
      throw error;
    }
    if (begun.length) copies.ready(begun.map(({ id }) => id));
    return told;
  }

  /** False where it is too large. A database without a file is empty, and so is its copy. */
  async function copyOne({ id }: Pick<RoutedDatabase, "id">, copy: CopyRecord): Promise<boolean> {
    const account = databases.byId(id)?.account ?? "";
    return context.inTurn({ account, database: id }, async (database) => {
      const from = context.file(database);
      const size = sizeOf(from);
      if (size > MOST_BYTES) return false;
      if (size > 0) await files.placeLive(from, fileOf(copy.id));
      return true;
    });
  }

  function makeForPreview(previewId: string, keys: Iterable<string>): Promise<Warning[]> {
    const holder = previewHolder(previewId);
    return turns.of(holder, async () => {
      const there = new Set(copies.all().flatMap((copy) => (copy.version === holder ? [copy.database] : [])));
      const warnings: Warning[] = [];
      for (const key of new Set(keys)) {
        if (there.has(key)) continue;
        if (isClosed) throw new WrkstError("ERR_SUPERSEDED", "the agent is stopping");
        const copy = copies.begin({ version: holder, database: key, function: "" });
        try {
          const database = databases.byId(key);
          const isWhole = !database || (await copyOne(database, copy));
          if (!isWhole) warnings.push({ message: tooLargeForPreview(database) });
          copies.ready([copy.id]);
        } catch (error) {
          erase(copy);
          throw error;
        }
      }
      return warnings;
    });
  }

  /** One at a time; whoever asks meanwhile gets another look afterwards. */
  function tend(): Promise<void> {
    isAsked = true;
    tending ??= look();
    return tending;
  }

  async function look(): Promise<void> {
    while (isAsked && !isClosed) {
      isAsked = false;
      try {
        if (await fill()) await publisher.publish();
        await sweep();
      } catch (error) {
        log.warn({ err: reportOf(error) }, "copies of databases for previews could not be looked after");
      }
    }
    tending = undefined;
  }

  /** Whether anything was made. */
  async function fill(): Promise<boolean> {
    let isChanged = false;
    for (const function_ of registry.routeState().functions) {
      const lacking = previewsOf(function_).filter((version) => uncopiedOf(version, function_).length);
      if (!lacking.length || isClosed) continue;
      await make(
        function_.id,
        lacking.map(({ id }) => id),
      );
      isChanged = true;
    }
    return isChanged;
  }

  /** Routes first, then the objects, then their files. */
  async function sweep(): Promise<void> {
    const wanted = wantedVersions();
    const unwanted = copies.all().filter((copy) => copy.state === "ready" && !isWanted(copy, wanted));
    if (unwanted.length) copies.leave(unwanted.map(({ id }) => id));
    const leaving = copies.all().filter(({ state }) => state === "leaving");
    if (!leaving.length || isClosed) return;
    await publisher.publish();
    await runtime.retire(leaving.map(({ id }) => copyObject(id)));
    for (const copy of leaving) erase(copy);
  }

  /** Of functions that live, by id. */
  function wantedVersions(): Map<string, Set<string>> {
    const { functions } = registry.routeState();
    return new Map(functions.map((one) => [one.id, new Set(previewsOf(one).map(({ id }) => id))]));
  }

  /** A preview keeps its copies over all that is pushed to it. A function that was removed keeps what its versions have, since it may come back. */
  function isWanted({ version, database, function: owner }: CopyRecord, wanted: Map<string, Set<string>>): boolean {
    if (version.startsWith(previewHolder("")))
      return registry.previews.byId(version.slice(previewHolder("").length)) !== undefined;
    if (!databases.byId(database) || !registry.version(version)) return false;
    return wanted.get(owner)?.has(version) ?? true;
  }

  return {
    recover,
    make,
    makeForPreview,
    tend,
    async close() {
      isClosed = true;
      await tending;
    },
  };
}

function tooLargeForPreview({ name }: { name: string }): string {
  return `the database "${name}" is larger than 256 MiB: the preview has an empty one in its place`;
}

function tooLarge({ name }: RoutedDatabase, { id }: RoutedVersion): string {
  return `the database "${name}" is larger than 256 MiB: version ${id.slice(0, 8)} has an empty one in its place until it serves`;
}
