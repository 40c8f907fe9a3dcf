// Versions, the builds that led to them, and aliases. A version never changes; equal inputs lead to it without a build.

import { createHash } from "node:crypto";
import type { BundleInputs, SealedSecrets, UploadOrigin, Version } from "../model.js";
import type { Db } from "./database.js";
import { fromJson, optional, toJson } from "./json.js";

/** What a version was built from; the same again needs no build. */
export interface BuildRecord {
  functionId: string;
  /** `[env.<name>]` that was applied, or `""`. */
  environment: string;
  /** Object id of the function's own folder. */
  treeId: string;
  /** Bundler and its options. */
  bundler: string;
  /** What lies outside the folder. */
  inputs: BundleInputs;
  versionId: string;
}

export interface AliasRecord {
  name: string;
  versionId: string;
  createdAt: number;
  updatedAt: number;
}

export interface Versions {
  version(id: string): Version | undefined;
  /** What an uploaded version carries; a version that git built carries none, its secrets are the function's. */
  versionSecrets(id: string): SealedSecrets;
  /** The first revision that gave the version to its function, as far as that is remembered. */
  firstRevision(id: string): { branch: string; commit: string } | undefined;
  /** The version that the function had at the one recorded commit that begins like this; undefined where none or several do. */
  versionAtCommit(functionId: string, prefix: string): string | undefined;
  /** Of one function, newest first. */
  versions(functionId: string): Version[];
  /** All builds of the function from the tree, last used first; whether the outside inputs match is for the caller to see. */
  builds(functionId: string, treeId: string, environment: string): BuildRecord[];
  /** The build last used of every live function, by function id. */
  lastBuilds(): Map<string, BuildRecord>;
  /** Aliases by name, `latest` first. */
  aliases(functionId: string): AliasRecord[];
  /** Creates or moves an alias (not `latest`, which only a switch moves). The caller raises the route generation. */
  setAlias(functionId: string, name: string, versionId: string): void;
  deleteAlias(functionId: string, name: string): boolean;
  /** Digests of all artifacts and source maps that a version refers to. */
  artifacts(): Set<string>;
}

export interface VersionRows {
  /** A version that is there stays as it is. */
  addVersion(
    version: Omit<Version, "function" | "account" | "createdAt">,
    functionId: string,
    at: number,
    secrets?: SealedSecrets,
  ): void;
  /** The same inputs again: moved to the version, and counted as used last. */
  saveBuild(build: BuildRecord, at: number): void;
  /** Builds went with their versions. */
  forgetBuilds(): void;
}

interface VersionRow {
  id: string;
  function: string;
  account: string;
  artifact: string;
  source_maps: string | null;
  size: number;
  manifest: string;
  entrypoints: string;
  created_at: number;
  upload: string | null;
}

interface BuildRow {
  function_id: string;
  environment: string;
  tree_id: string;
  bundler: string;
  inputs: string;
  version_id: string;
}

const VERSION = `SELECT v.id, f.name AS function, f.account, v.artifact, v.source_maps, v.size, v.manifest, v.entrypoints,
  v.created_at, v.upload FROM versions v JOIN functions f ON f.id = v.function_id`;
const ALIAS = "name, version_id AS versionId, created_at AS createdAt, updated_at AS updatedAt";

export function createVersions(db: Db, now: () => number): Versions & VersionRows {
  const one = db.prepare<[string], VersionRow>(`${VERSION} WHERE v.id = ?`);
  const ofFunction = db.prepare<[string], VersionRow>(
    `${VERSION} WHERE v.function_id = ? ORDER BY v.created_at DESC, v.rowid DESC`,
  );
  const secrets = db.prepare<[string], string>("SELECT secrets FROM versions WHERE id = ?").pluck();
  const firstRevision = db.prepare<[string], { branch: string; commit: string }>(
    `SELECT r.branch, r."commit" FROM history h JOIN revisions r ON r.seq = h.seq WHERE h.version_id = ?
     ORDER BY h.seq LIMIT 1`,
  );
  const commits = db
    .prepare<[string, string], string>(
      `SELECT DISTINCT "commit" FROM revisions WHERE "commit" >= ? AND "commit" < ? LIMIT 2`,
    )
    .pluck();
  const atCommit = db
    .prepare<[string, string], string | null>(
      `SELECT version_id FROM history WHERE function_id = ?
         AND seq <= (SELECT max(seq) FROM revisions WHERE "commit" = ?) ORDER BY seq DESC LIMIT 1`,
    )
    .pluck();
  const add = db.prepare(
    `INSERT OR IGNORE INTO versions (id, function_id, artifact, source_maps, size, manifest, entrypoints, created_at, upload, secrets)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const matching = db.prepare<[string, string, string], BuildRow>(
    "SELECT * FROM builds WHERE function_id = ? AND environment = ? AND tree_id = ? ORDER BY used DESC",
  );
  const lastUsed = db.prepare<[], BuildRow>(
    `SELECT b.*, max(b.used) FROM builds b JOIN functions f ON f.id = b.function_id
     WHERE f.removed_at IS NULL GROUP BY b.function_id`,
  );
  const saveBuild = db.prepare(
    `INSERT INTO builds (function_id, environment, tree_id, bundler, inputs_digest, inputs, version_id, used, created_at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET version_id = excluded.version_id, used = excluded.used`,
  );
  const asked = new Map<string, AskedBuilds>();
  const nextUse = db
    .prepare<[string], number>("SELECT coalesce(max(used), 0) + 1 FROM builds WHERE function_id = ?")
    .pluck();
  const aliases = db.prepare<[string], AliasRecord>(`SELECT ${ALIAS} FROM aliases WHERE function_id = ? ORDER BY name`);
  const latest = db.prepare<[string], AliasRecord>(
    `SELECT 'latest' AS name, latest AS versionId, created_at AS createdAt, updated_at AS updatedAt
     FROM functions WHERE id = ? AND latest IS NOT NULL AND removed_at IS NULL`,
  );
  const setAlias = db.prepare(
    `INSERT INTO aliases (function_id, name, version_id, created_at, updated_at) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT DO UPDATE SET version_id = excluded.version_id, updated_at = excluded.updated_at`,
  );
  const deleteAlias = db.prepare("DELETE FROM aliases WHERE function_id = ? AND name = ?");
  const artifacts = db
    .prepare<[], string>(
      `SELECT artifact FROM versions UNION SELECT source_maps FROM versions WHERE source_maps IS NOT NULL
       UNION SELECT digest FROM version_migrations`,
    )
    .pluck();

  return {
    version: (id) => {
      const row = one.get(id);
      return row && versionOf(row);
    },
    versionSecrets: (id) => fromJson(String(secrets.get(id) ?? "{}")),
    firstRevision: (id) => firstRevision.get(id),
    versionAtCommit: (functionId, prefix) => {
      const [commit, another] = commits.all(prefix, `${prefix}g`);
      return commit === undefined || another !== undefined
        ? undefined
        : (atCommit.get(functionId, String(commit)) ?? undefined);
    },
    versions: (functionId) => ofFunction.all(functionId).map(versionOf),
    builds: createBuilds(db, asked, (functionId, treeId, environment) => {
      return matching.all(functionId, environment, treeId).map(buildOf);
    }),
    lastBuilds: () => new Map(lastUsed.all().map((row) => [row.function_id, buildOf(row)])),
    aliases: (functionId) => [...latest.all(functionId), ...aliases.all(functionId)],
    setAlias: (functionId, name, versionId) => {
      if (name === "latest") throw new TypeError(`the alias "latest" is moved by a switch only`);
      setAlias.run(functionId, name, versionId, now(), now());
    },
    deleteAlias: (functionId, name) => deleteAlias.run(functionId, name).changes > 0,
    artifacts: () => new Set(artifacts.all() as string[]),
    addVersion: (version, functionId, at, secrets = {}) => {
      const { id, artifact, sourceMaps, size, manifest, entrypoints, upload } = version;
      const json = [JSON.stringify(manifest), JSON.stringify(entrypoints)];
      const made = [toJson(upload), JSON.stringify(secrets)];
      add.run(id, functionId, artifact, sourceMaps ?? null, size, ...json, at, ...made);
    },
    saveBuild: ({ functionId, environment, treeId, bundler, inputs, versionId }, at) => {
      const json = inputsJson(inputs);
      const digest = createHash("sha256").update(json).digest("hex");
      const used = nextUse.get(functionId);
      asked.delete(functionId);
      saveBuild.run(functionId, environment, treeId, bundler, digest, json, versionId, used, at);
    },
    forgetBuilds: () => asked.clear(),
  };
}

/** What was asked for last, and the answer. */
interface AskedBuilds {
  treeId: string;
  environment: string;
  builds: BuildRecord[];
}

/** Every pass asks for each function, and most have the tree that they had. `asked` is by function id. */
function createBuilds(db: Db, asked: Map<string, AskedBuilds>, read: Versions["builds"]): Versions["builds"] {
  return (functionId, treeId, environment) => {
    const last = asked.get(functionId);
    if (last?.treeId === treeId && last.environment === environment) return last.builds;
    const builds = read(functionId, treeId, environment);
    // What an open transaction wrote may be taken back.
    if (!db.inTransaction) asked.set(functionId, { treeId, environment, builds });
    return builds;
  };
}

/** Equal inputs are equal text. */
function inputsJson({ folder, files, folders }: BundleInputs): string {
  const sorted = (record: Record<string, string>) => Object.fromEntries(Object.entries(record).sort());
  return JSON.stringify({ folder, files: sorted(files), folders: sorted(folders) });
}

function versionOf(row: VersionRow): Version {
  const { source_maps, created_at, manifest, entrypoints, upload, ...rest } = row;
  return {
    ...rest,
    manifest: fromJson(manifest),
    entrypoints: fromJson(entrypoints),
    createdAt: created_at,
    ...(source_maps === null ? {} : { sourceMaps: source_maps }),
    ...optional<"upload", UploadOrigin>("upload", upload),
  };
}

function buildOf(row: BuildRow): BuildRecord {
  return {
    functionId: row.function_id,
    environment: row.environment,
    treeId: row.tree_id,
    bundler: row.bundler,
    inputs: fromJson(row.inputs),
    versionId: row.version_id,
  };
}
