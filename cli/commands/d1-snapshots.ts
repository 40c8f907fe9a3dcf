// `wrkst d1 backup`, `snapshots`, `restore`, `time-travel`: copies of a database, and the way back.

import { type Command, InvalidArgumentError, Option } from "commander";
import type { Snapshot } from "../answers.js";
import { listSnapshots } from "../database-views.js";
import { type DatabaseSession, type OfDatabase, openDatabase } from "../databases.js";
import { saveTo } from "../download.js";
import { parsePast } from "../duration.js";
import { Failure } from "../failure.js";
import type { Io } from "../io.js";
import { confirm } from "../prompt.js";
import { says, TEXT } from "../wording.js";
import { addCommand, addOfDatabase } from "./command.js";

/** A large database takes its time. */
const LONG = 5 * 60_000;

interface Confirmed extends OfDatabase {
  yes?: boolean;
}

export function addSnapshots(program: Command, io: Io): void {
  addOfDatabase(program, "d1 backup")
    .option("--output <path>", TEXT.outputBackup)
    .action(async (wanted: string, options: OfDatabase & { output?: string }) => {
      const session = await openDatabase(wanted, options, io);
      const taken = await takeSnapshot(session);
      if (options.output !== undefined) {
        const path = await session.path(`/snapshots/${encodeURIComponent(taken.id)}`);
        await saveTo(await session.client.open(path, { accept: "*/*" }), options.output, session);
      }
      session.print(taken, says.snapshotTaken(session.reference, taken.id));
    });
  addOfDatabase(program, "d1 snapshots").action(async (wanted: string, options: OfDatabase) => {
    const session = await openDatabase(wanted, options, io);
    const snapshots = await snapshotsOf(session);
    session.print(snapshots, listSnapshots(snapshots, io));
  });
  addOfDatabase(program, "d1 restore")
    .argument("<to>", TEXT.restoreTo)
    .option("--yes", TEXT.yes)
    .action(async (wanted: string, to: string, options: Confirmed) => {
      const point = isSnapshot(to) ? { snapshot: to } : { time: parsePast(to, io.now(), says.badPoint) };
      await restore(await openDatabase(wanted, options, io), point, options.yes);
    });
  addTimeTravel(program, io);
}

interface TravelOptions extends Confirmed {
  bookmark?: string;
  timestamp?: string;
}

function addTimeTravel(program: Command, io: Io): void {
  addCommand(program, "d1 time-travel");
  addOfDatabase(program, "d1 time-travel info")
    .option("--timestamp <time>", TEXT.timestamp)
    .action(async (wanted: string, options: TravelOptions) => {
      const session = await openDatabase(wanted, options, io);
      const { timestamp } = options;
      const found = timestamp === undefined ? await takeSnapshot(session) : await snapshotAt(session, timestamp);
      session.print(found, says.bookmark(wanted, found.id));
    });
  addOfDatabase(program, "d1 time-travel restore")
    .addOption(new Option("--bookmark <id>", TEXT.bookmark).conflicts("timestamp"))
    .option("--timestamp <time>", TEXT.timestamp)
    .option("--yes", TEXT.yes)
    .action(async (wanted: string, { bookmark, timestamp, ...options }: TravelOptions) => {
      if (bookmark === undefined && timestamp === undefined) throw new InvalidArgumentError(TEXT.bookmarkOrTime);
      const point = bookmark === undefined ? { time: timeOf(timestamp ?? "", io) } : { snapshot: bookmark };
      await restore(await openDatabase(wanted, options, io), point, options.yes);
    });
}

const isSnapshot = (text: string) => /^[0-9a-f]{16}-[0-9a-f]{8}$/.test(text);

/** Seconds since 1970 too, as wrangler takes them. */
const timeOf = (raw: string, io: Io) =>
  parsePast(/^\d{9,10}$/.test(raw) ? new Date(Number(raw) * 1000).toISOString() : raw, io.now());

const takeSnapshot = ({ ask }: DatabaseSession) => ask<Snapshot>("POST", "/snapshots", { timeout: LONG });

async function snapshotsOf({ ask }: DatabaseSession): Promise<Snapshot[]> {
  return (await ask<{ snapshots: Snapshot[] }>("GET", "/snapshots")).snapshots;
}

async function snapshotAt(session: DatabaseSession, timestamp: string): Promise<Snapshot> {
  const time = timeOf(timestamp, session.io);
  const found = (await snapshotsOf(session)).find(({ at }) => at <= time);
  if (found) return found;
  throw new Failure(TEXT.noSnapshot, says.seeSnapshots(session.reference));
}

async function restore(
  { ask, io, print, reference }: DatabaseSession,
  point: { snapshot: string } | { time: string },
  isAgreed: boolean | undefined,
): Promise<void> {
  const to = "time" in point ? point.time : point.snapshot;
  if (!isAgreed && !(await confirm(says.confirmRestore(reference, to), io))) throw new Failure(TEXT.notRestored);
  const answer = await ask<{ restored: Snapshot; before: Snapshot }>("POST", "/restore", {
    body: point,
    timeout: LONG,
  });
  const { restored, before } = answer;
  const undone = before.migrations.filter((name) => !restored.migrations.includes(name));
  print(answer, says.restored(reference, restored.at, before.id, undone));
}
