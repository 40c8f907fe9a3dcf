// What belongs to a function itself and to no version: settings, sealed secrets, hosts as asked for, the count of its uploads.

import type { AskedHosts, FunctionSettings, SealedSecrets } from "../model.js";
import type { Db } from "./database.js";
import { fromJson } from "./json.js";

export interface Own {
  /** What was ever set; the rest is for the caller to default. */
  functionSettings(functionId: string): Partial<FunctionSettings>;
  /** Of the functions that have any, by function id. */
  allFunctionSettings(): Map<string, Partial<FunctionSettings>>;
  /** Of a function that git declares. */
  functionSecrets(functionId: string): SealedSecrets;
  /** May name hosts that the function has lost since. */
  functionAskedHosts(functionId: string): AskedHosts;
  /** Whether anything is sealed: of a function, a version or a source. */
  hasSecrets(): boolean;
}

export interface OwnRows {
  saveFunctionSettings(functionId: string, settings: Partial<FunctionSettings>): void;
  saveFunctionSecrets(functionId: string, secrets: SealedSecrets): void;
  saveFunctionAskedHosts(functionId: string, asked: AskedHosts): void;
  /** Counts one more upload and answers how many there were: 1 for the first. */
  countUpload(functionId: string): number;
}

export function createOwn(db: Db): Own & OwnRows {
  const read = (column: string) => db.prepare<[string], string>(`SELECT ${column} FROM functions WHERE id = ?`).pluck();
  const write = (column: string) => db.prepare(`UPDATE functions SET ${column} = ? WHERE id = ?`);
  const [readSettings, writeSettings] = [read("settings"), write("settings")];
  const [readSecrets, writeSecrets] = [read("secrets"), write("secrets")];
  const [readHosts, writeHosts] = [read("asked_hosts"), write("asked_hosts")];
  const allSettings = db.prepare<[], { id: string; settings: string }>(
    "SELECT id, settings FROM functions WHERE settings <> '{}'",
  );
  const anySecret = db
    .prepare<[], number>(
      `SELECT EXISTS (SELECT 1 FROM functions WHERE secrets <> '{}') OR EXISTS (SELECT 1 FROM versions WHERE secrets <> '{}')
         OR EXISTS (SELECT 1 FROM sources WHERE credentials <> '{}') OR EXISTS (SELECT 1 FROM source_webhooks)`,
    )
    .pluck();
  const count = db
    .prepare<[string], number>("UPDATE functions SET uploads = uploads + 1 WHERE id = ? RETURNING uploads")
    .pluck();
  return {
    functionSettings: (id) => fromJson(String(readSettings.get(id) ?? "{}")),
    allFunctionSettings: () => new Map(allSettings.all().map(({ id, settings }) => [id, fromJson(settings)])),
    functionSecrets: (id) => fromJson(String(readSecrets.get(id) ?? "{}")),
    functionAskedHosts: (id) => fromJson(String(readHosts.get(id) ?? "{}")),
    hasSecrets: () => anySecret.get() === 1,
    saveFunctionSettings: (id, settings) => void writeSettings.run(JSON.stringify(settings), id),
    saveFunctionSecrets: (id, secrets) => void writeSecrets.run(JSON.stringify(secrets), id),
    saveFunctionAskedHosts: (id, asked) => void writeHosts.run(JSON.stringify(asked), id),
    countUpload: (id) => Number(count.get(id)),
  };
}
