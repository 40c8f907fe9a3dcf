// What all direct deploys stand on, and how a function, its versions and their addresses are found.
import { randomUUID } from "node:crypto";
import type { ArtifactStore } from "../../artifact/index.js";
import { resolveVersion } from "../../deploy/resolve.js";
import { type ErrorReport, reportOf, WrkstError } from "../../errors.js";
import {
  type Actor,
  type FunctionRef,
  type Hold,
  type Manifest,
  PLATFORM_NAME,
  type Version,
  type Warning,
} from "../../model.js";
import type { RouteOptions } from "../../route/index.js";
import type { Sealing } from "../../secrets/sealing.js";
import {
  type DirectChange,
  type DirectResult,
  type FunctionRecord,
  type Registry,
  refuseSuspended,
} from "../../store/index.js";
import { wantedOf } from "../bind.js";
import type { LoadChecker } from "../check-load.js";
import type { Copying } from "../databases/index.js";
import type { Turns } from "../turns.js";

/** Who does what nobody asked for at that moment: ends holds whose time is over, goes back from a version that is worse. */
export const PLATFORM: Actor = { name: PLATFORM_NAME, email: null, credential: "platform", address: "" };

export interface DeploysDeps {
  registry: Registry;
  publisher: { publish(): Promise<void> };
  artifacts: Pick<ArtifactStore, "put" | "get">;
  checker: LoadChecker;
  /** Loads versions in the serving runtime and asks their health paths: id → what went wrong. */
  prepare(versions: Version[], signal: AbortSignal): Promise<Map<string, ErrorReport>>;
  sealing: Sealing;
  turns: Turns;
  routes: () => RouteOptions;
  /** Origin of the function; with a label, of that host of it. */
  urlOf(name: string, label?: string): string;
  /** What to know of databases whose migrations are beyond those of the version. */
  olderThanDatabases(functionId: string, version: Version): Promise<Warning[]>;
  /** Of one account, deployed by hand. */
  maxFunctions: number;
  copies: Pick<Copying, "make" | "tend">;
  /** Publishes again, soon: what was recorded could not be brought to the runtime. */
  wake(): void;
  /** A pass of the source, soon. */
  wakeSource(name: string): void;
  /** Holds have changed: the earliest end of one may be another. */
  onHolds(): void;
  /** Aborted when the agent stops. */
  signal: AbortSignal;
  /** Milliseconds since 1970. */
  now(): number;
  newId?: () => string;
}

export class DeployContext {
  readonly deps: DeploysDeps;

  constructor(deps: DeploysDeps) {
    this.deps = deps;
  }

  newId(): string {
    return (this.deps.newId ?? randomUUID)();
  }

  find({ account, name }: FunctionRef): FunctionRecord | undefined {
    const record = this.deps.registry.functionByName(name);
    return record?.account === account ? record : undefined;
  }

  /** @throws WrkstError ERR_NOT_FOUND, the same for a function that is another account's */
  expect(of: FunctionRef): FunctionRecord {
    const record = this.find(of);
    if (record) return record;
    throw new WrkstError("ERR_NOT_FOUND", `there is no function "${of.name}"`, { hint: "see: wrkst status" });
  }

  /** Told before anything is loaded; the registry decides it again. @throws WrkstError ERR_SUSPENDED */
  refuseSuspended(record: FunctionRecord): void {
    refuseSuspended(record, this.deps.registry.suspension(record.id));
  }

  holdOf(record: FunctionRecord): Hold | undefined {
    return this.deps.registry.hold(record.id, "latest");
  }

  /** What its source gives `latest` now: what the repository pins, or else the newest version. */
  givenTo({ id, declared }: FunctionRecord): string | null {
    return this.deps.registry.declaredPin(id, "latest")?.version ?? declared;
  }

  aliasesOf(record: FunctionRecord): Record<string, string> {
    const aliases = this.deps.registry.aliases(record.id);
    return Object.fromEntries(aliases.map(({ name, versionId }) => [name, versionId]));
  }

  /** @throws WrkstError ERR_VERSION_NOT_FOUND */
  resolve(record: FunctionRecord, text: string): Version {
    const { registry } = this.deps;
    return resolveVersion(text, {
      name: record.name,
      versions: registry.versions(record.id),
      aliases: this.aliasesOf(record),
      versionAtCommit: (prefix) => registry.versionAtCommit(record.id, prefix),
    });
  }

  /**
   * The one transaction, then the runtime. Nothing that can fail stands between them but the runtime itself: then the change
   * is kept, and brought to it as soon as it answers. A version that a preview address leads to gets copies of databases
   * in between, whose failure is a warning.
   */
  async commit(change: DirectChange, { previews = true } = {}): Promise<DirectResult & { warnings: Warning[] }> {
    const { registry, copies } = this.deps;
    const result = registry.applyDirect(change);
    if (change.holds || change.releases) this.deps.onHolds();
    const shown = previews && change.latest === undefined ? versionsShownBy(change) : [];
    let warnings: Warning[] = [];
    try {
      if (shown.length) warnings = await copies.make(result.functionId, shown);
    } finally {
      await this.publish();
    }
    if (shown.length || change.latest !== undefined) void copies.tend();
    return { ...result, warnings };
  }

  async publish(): Promise<void> {
    try {
      await this.deps.publisher.publish();
    } catch (error) {
      this.deps.wake();
      throw error;
    }
  }

  /** The version's manifest with the databases that its bindings stand for, so that a version made from it has the same. */
  boundManifest({ id }: FunctionRecord, { id: version, manifest }: Version): Manifest {
    const bound = this.deps.registry.databases.boundTo(id, version);
    const d1Databases = manifest.d1Databases.map((declared) => {
      const database = bound[declared.binding];
      return database ? { databaseName: database.name, ...declared, databaseId: database.id } : declared;
    });
    return { ...manifest, d1Databases };
  }

  /** Versions that do not serve yet are loaded where they will serve, and asked whether they are well. */
  async prepare(versions: Version[]): Promise<void> {
    const { registry } = this.deps;
    const found = registry.databases.resolve(versions.map((version) => wantedOf(registry, version)));
    for (const one of found) if ("error" in one) throw one.error;
    const [refused] = (await this.deps.prepare(versions, this.deps.signal)).values();
    if (refused) throw new WrkstError(refused.code, refused.message, refused);
  }

  /** As `prepare`, with the error as a value. */
  async refusalOf(versions: Version[]): Promise<ErrorReport | undefined> {
    return this.prepare(versions).then(() => undefined, reportOf);
  }
}

/** Versions that it makes, or has an alias lead to. */
function versionsShownBy({ version, aliases = {} }: DirectChange): string[] {
  const aliased = Object.values(aliases).filter((id) => id !== null);
  return [...new Set([...(version ? [version.version.id] : []), ...aliased])];
}
