// Gives previews, and versions that never served, copies of their databases, and takes them away. What production has is only ever read. A copy is
// noted before its file is made and forgotten after it is gone; a version leads to it only while it is whole.
import { objectFile, removeObject, sizeOf } from "../../databases/index.js";
import { formatError, reportOf, WrkstError } from "../../errors.js";
import type { RoutedDatabase, RoutedFunction, RoutedVersion, Warning } from "../../model.js";
import { previewsOf, uncopiedOf } from "../../route/index.js";
import { COPY_EPOCH, type CopyRecord, copyObject, previewHolder } from "../../store/index.js";
import { createTurns } from "../turns.js";
import type { ContentContext } from "./content-context.js";
import type { CopyMigrating, FileMigrating } from "./copy-migrating.js";
import {
  createPreviewCopying,
  type PreviewCopies,
  type PreviewCopyingParts,
  type PreviewWork,
} from "./preview-copying.js";

export interface Copying {
  /** Removes what a crash left behind. Before anything may open an object. */
  recover(): void;
  /**
   * Makes those that the versions lack, of databases as they are now. What fails, or is refused, is an event and a warning. The
   * caller publishes. Never rejects.
   */
  make(functionId: string, versions: string[]): Promise<Warning[]>;
  /**
   * Makes those that a preview lacks, of databases as they are now, and applies what is pending there. The caller records and
   * publishes. @throws WrkstError; what was made for it before stays
   */
  makeForPreview(previewId: string, work: PreviewWork): Promise<PreviewCopies>;
  /** Makes what is missing anywhere, removes what nobody needs. Never rejects. */
  tend(): Promise<void>;
  close(): Promise<void>;
}

/** Bytes of a database; a preview of a larger one begins empty. */
const MOST_BYTES = 256 * 2 ** 20;
/** Bytes of all copies; beyond that the oldest go. */
const MOST_IN_ALL = 4 * 2 ** 30;

export interface CopyingOptions {
  log: { warn(fields: object, message: string): void };
  /** Brings a file that nothing has open to the schema that the version wants, as `CopyMigrating` says. */
  migrating: CopyMigrating;
  /** Reads what is applied. */
  applied: PreviewCopyingParts["migrating"];
  migrateFile: FileMigrating;
  /** Bytes. */
  mostInAll?: number;
}

export function createCopying(
  context: ContentContext,
  { log, migrating, applied, migrateFile, mostInAll = MOST_IN_ALL }: CopyingOptions,
): Copying {
  const { registry, files, dataDir, runtime, publisher } = context.deps;
  const { copies, databases } = registry;
  /** For each function, so that nothing is copied twice. */
  const turns = createTurns();
  let tending: Promise<void> | undefined;
  let isAsked = false;
  let isClosed = false;

  const bringAll = createPreviewCopying(context, { migrating: applied, migrateFile, erase, most: MOST_BYTES });
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
        told.push(...(await copyOne(database.id, copy, wordsOf(version))));
      }
    } catch (error) {
      for (const copy of begun) erase(copy);
      throw error;
    }
    if (begun.length) copies.ready(begun.map(({ id }) => id));
    return told;
  }

  /**
   * A database without a file is empty, and so is its copy. What the version's migrations cannot be applied to is copied as it is.
   * Answers what is to be told.
   */
  async function copyOne(id: string, copy: CopyRecord, words: CopyWords): Promise<string[]> {
    const account = databases.byId(id)?.account ?? "";
    return context.inTurn({ account, database: id }, async (database) => {
      const live = context.file(database);
      const size = sizeOf(live);
      const told = size > MOST_BYTES ? [words.tooLarge(database)] : [];
      const from = size > 0 && size <= MOST_BYTES ? live : null;
      try {
        if (await migrating({ version: copy.version, database, from, target: fileOf(copy.id) })) return told;
      } catch (error) {
        if (isClosed) throw error;
        told.push(
          `${words.holder} has a copy of the database "${database.name}" without its new migrations: ${formatError(reportOf(error))}`,
        );
      }
      if (from !== null) await files.placeLive(from, fileOf(copy.id));
      return told;
    });
  }

  function makeForPreview(previewId: string, work: PreviewWork): Promise<PreviewCopies> {
    const holder = previewHolder(previewId);
    return turns.of(holder, async () => {
      if (isClosed) throw new WrkstError("ERR_SUPERSEDED", "the agent is stopping");
      return bringAll(holder, work);
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
      const lacking = previewsOf(function_).filter((version) => fits(uncopiedOf(version, function_)));
      if (!lacking.length || isClosed) continue;
      await make(
        function_.id,
        lacking.map(({ id }) => id),
      );
      isChanged = true;
    }
    return isChanged;
  }

  /** Only what somebody asks for makes older copies go. */
  function fits(lacking: RoutedDatabase[]): boolean {
    if (!lacking.length) return false;
    const sizes = lacking.flatMap(({ id }) => {
      const database = databases.byId(id);
      const size = database ? sizeOf(context.file(database)) : 0;
      return size > MOST_BYTES ? [] : [size];
    });
    return sum(sizes) + sum(copies.all().map(({ id }) => sizeOf(fileOf(id)))) <= mostInAll;
  }

  /** Versions as a whole, the newest copies first, for as long as there is room; the newest one stays in any case. */
  function overflowing(ready: CopyRecord[]): CopyRecord[] {
    let room = mostInAll;
    const versions = new Set(ready.map(({ version }) => version).reverse());
    return [...versions].flatMap((version, index) => {
      const own = ready.filter((copy) => copy.version === version);
      const size = sum(own.map(({ id }) => sizeOf(fileOf(id))));
      room -= size;
      return room < 0 && size > 0 && index > 0 ? own : [];
    });
  }

  /** Routes first, then the objects, then their files. */
  async function sweep(): Promise<void> {
    const all = copies.all();
    if (!all.length) return;
    const wanted = wantedVersions();
    const ready = all.filter(({ state }) => state === "ready");
    const useful = ready.filter((copy) => isWanted(copy, wanted));
    const lost = overflowing(useful);
    const unwanted = [...ready.filter((copy) => !useful.includes(copy)), ...lost];
    if (unwanted.length) copies.leave(unwanted.map(({ id }) => id));
    for (const holder of new Set(lost.map(({ version }) => version))) tellLost(holder, lost);
    const leaving = copies.all().filter(({ state }) => state === "leaving");
    if (!leaving.length || isClosed) return;
    await publisher.publish();
    await runtime.retire(leaving.map(({ id }) => copyObject(id)));
    for (const copy of leaving) erase(copy);
  }

  /** Nobody finds out by an error alone that data of theirs is gone. */
  function tellLost(holder: string, lost: CopyRecord[]): void {
    const preview = registry.previews.byId(holder.replace(previewHolder(""), ""));
    const why = `since all copies together are bounded to ${Math.round(mostInAll / 2 ** 20)} MiB`;
    if (!preview) {
      const owner = lost.find(({ version }) => version === holder)?.function ?? "";
      const function_ = routed(owner);
      if (function_) tell(function_, [`the copies of version ${holder.slice(0, 8)} were removed, ${why}`]);
      return;
    }
    const { id, source, branch, function: name, commit } = preview;
    const again =
      branch === null ? "ask for the commit again, and it is made anew" : "the next push to the branch makes it anew";
    const message = `the data of the preview was removed, ${why}: ${again}`;
    const what = branch === null ? `"${name}" at the commit ${commit.slice(0, 12)}` : `the branch "${branch}"`;
    registry.previews.warn(id, [{ message }]);
    registry.addEvent({ kind: "preview.data-removed", source, message: `${what}: ${message}` });
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

function sum(sizes: number[]): number {
  return sizes.reduce((total, size) => total + size, 0);
}

/** How it is said for whom a copy is made. */
interface CopyWords {
  holder: string;
  tooLarge(database: { name: string }): string;
}

function wordsOf({ id }: RoutedVersion): CopyWords {
  const holder = `version ${id.slice(0, 8)}`;
  return {
    holder,
    tooLarge: ({ name }) =>
      `the database "${name}" is larger than 256 MiB: ${holder} has an empty one in its place until it serves`,
  };
}
