// What all work on the contents of databases stands on: which object holds one, and whose turn it is.
import type { Readable } from "node:stream";
import {
  type D1Call,
  type D1CallAnswer,
  type D1Dump,
  type D1Script,
  type D1ScriptAnswer,
  objectName,
} from "../../../runtime/d1/wire.js";
import { objectFile, type SnapshotFiles, sizeOf } from "../../databases/index.js";
import type { Database, DatabaseRef } from "../../model.js";
import type { Registry } from "../../store/index.js";
import type { Turns } from "../turns.js";

/** Of the runtime. None is repeated: it may have been done though no answer came. */
export interface DatabaseCalls {
  call(call: D1Call): Promise<D1CallAnswer>;
  script(script: D1Script): Promise<D1ScriptAnswer>;
  dump(dump: D1Dump): Promise<Readable>;
  retire(objects: string[]): Promise<void>;
  pause(objects: string[], on: boolean): Promise<void>;
  hold(object: string, on: boolean): Promise<string>;
  succeed(object: string, by: string): Promise<void>;
}

export interface ContentDeps {
  dataDir: string;
  /** Folder for files that are written for a client; in it nothing outlives a restart. */
  temporary: string;
  runtime: DatabaseCalls;
  /** Differs after every restart of the runtime. */
  runtimeLife(): unknown;
  files: SnapshotFiles;
  registry: Pick<Registry, "snapshots" | "databases" | "copies" | "previews" | "routeState" | "version" | "addEvent">;
  publisher: { publish(): Promise<void> };
  /** Publishes again, soon. */
  wake(): void;
  /** @throws WrkstError ERR_DATABASE_NOT_FOUND */
  expect(of: DatabaseRef): Database;
  /** One at a time for each database, by id. */
  turns: Turns;
  now(): number;
}

export class ContentContext {
  readonly deps: ContentDeps;
  /** Highest epoch by database of which something may have opened the object. */
  readonly #used = new Map<string, number>();

  constructor(deps: ContentDeps) {
    this.deps = deps;
  }

  expect(of: DatabaseRef): Database {
    return this.deps.expect(of);
  }

  /** In turn with all that copies, moves or changes the database as a whole; as it is when the turn comes. */
  inTurn<T>(of: DatabaseRef, work: (database: Database) => Promise<T>): Promise<T> {
    const { id } = this.expect(of);
    return this.deps.turns.of(id, () => work(this.expect({ account: of.account, database: id })));
  }

  /** An object that was never opened, with the caller: no file may be put in place of one that was. */
  takeEpoch({ id, epoch }: Database): number {
    const next = Math.max(epoch, this.#used.get(id) ?? 0) + 1;
    this.#used.set(id, next);
    return next;
  }

  object({ id, epoch }: Database): string {
    return objectName(id, epoch);
  }

  file({ id, epoch }: Database): string {
    return objectFile(this.deps.dataDir, id, epoch);
  }

  /** Bytes on the disk. */
  size(database: Database): number {
    return sizeOf(this.file(database));
  }
}
