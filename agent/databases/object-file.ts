// Where the runtime keeps the object of a database, and what its files say from outside. Never opens one.
import { createHash, createHmac } from "node:crypto";
import { rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { D1_UNIQUE_KEY, objectName } from "../../runtime/d1/wire.js";

/** Id of the object with that name, 64 hex: as workerd derives it, so that its file is known before anything opened it. */
export function objectId(name: string): string {
  const key = createHash("sha256").update(D1_UNIQUE_KEY).digest();
  const digest = (content: string | Buffer) => createHmac("sha256", key).update(content).digest().subarray(0, 16);
  const half = digest(name);
  return Buffer.concat([half, digest(half)]).toString("hex");
}

/** Folder of all objects. */
export function objectFolder(dataDir: string): string {
  return join(dataDir, "do", D1_UNIQUE_KEY);
}

/** SQLite file of the object that holds the database; there once something was written. */
export function objectFile(dataDir: string, database: string, epoch: number): string {
  return join(objectFolder(dataDir), `${objectId(objectName(database, epoch))}.sqlite`);
}

/** Bytes of the file and its log; 0 where there is none. */
export function sizeOf(file: string): number {
  return statOf(file).size + statOf(`${file}-wal`).size;
}

/**
 * A text that is another one after every commit to the file. It may also be another one where nothing changed, after the
 * log was written back.
 */
export function stateOf(file: string): string {
  return [file, `${file}-wal`]
    .map(statOf)
    .map(({ size, time }) => (size === 0 ? "-" : `${size}.${time}`))
    .join("/");
}

/** When it was written to last, in milliseconds since 1970; 0 where there is none. */
export function writtenAt(file: string): number {
  return Math.max(statOf(file).time, statOf(`${file}-wal`).time);
}

/** Removes the file with its log and index. Nothing may have it open. */
export function removeObject(file: string): void {
  for (const suffix of ["-wal", "-shm", ""]) rmSync(`${file}${suffix}`, { force: true });
}

function statOf(file: string): { size: number; time: number } {
  const found = statSync(file, { throwIfNoEntry: false });
  return { size: found?.size ?? 0, time: found?.mtimeMs ?? 0 };
}
