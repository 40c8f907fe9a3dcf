// What is tidied up now and then, beside no pass and no deploy: expired records, artifacts, databases, packages, packs.
import { join } from "node:path";
import type { ArtifactStore } from "./artifact/index.js";
import { reportOf } from "./errors.js";
import type { Log } from "./log.js";
import type { DatabaseParts } from "./reconcile/databases/index.js";
import type { Turns } from "./reconcile/turns.js";
import { packEmbedded } from "./source/embedded.js";
import type { Registry } from "./store/index.js";

export interface UpkeepOptions {
  dataDir: string;
  /** Milliseconds. */
  retention: number;
  environment: Readonly<Record<string, string | undefined>>;
  log: Log;
  registry: Registry;
  artifacts: ArtifactStore;
  publisher: { publish(): Promise<void> };
  databases: Pick<DatabaseParts, "collecting" | "copying">;
  installer: { prune(): Promise<void> };
  turns: Turns;
  /** Names that passes work on, by source. */
  underWay: ReadonlyMap<string, unknown>;
  forgetBuilds(): void;
  isPreviewing(): boolean;
  /** Aborted when the agent stops. */
  signal: AbortSignal;
}

const HOUR = 3_600_000;
/** So long it is put off while passes are at work: it would wait for them, and others for it. */
const PUT_OFF = 6 * HOUR;

/** To be called after every pass; does something once an hour. */
export function createUpkeep(options: UpkeepOptions): (pass: { signal: AbortSignal }) => Promise<void> {
  const { registry, artifacts, databases, log, turns } = options;
  let collected = Date.now();
  const tidy = everyDay(() => tidyUp(options));

  const isDue = () => {
    const since = Date.now() - collected;
    return since >= HOUR && !options.isPreviewing() && (options.underWay.size === 0 || since >= PUT_OFF);
  };

  async function collect(): Promise<void> {
    const { artifacts: unused } = registry.removeExpired(Date.now(), options.retention);
    registry.bumpRouteGeneration();
    await options.publisher.publish();
    for (const digest of unused) await artifacts.delete(digest);
    // What earlier passes built for a later one is in no version yet, and may be as old as that pass.
    options.forgetBuilds();
    const swept = await artifacts.sweep(registry.artifacts(), Date.now() - HOUR);
    if (swept) log.info({ swept }, "removed artifacts that no version refers to");
    await databases.collecting.collect();
    await databases.copying.tend();
  }

  return async ({ signal }) => {
    void databases.copying.tend();
    if (signal.aborted || !isDue()) return;
    collected = Date.now();
    // What is being uploaded or built may lie in the store already without a version that says so.
    await turns.alone(collect);
    void tidy();
  };
}

async function tidyUp({ installer, dataDir, environment, signal, log }: UpkeepOptions): Promise<void> {
  try {
    await installer.prune();
    await packEmbedded(join(dataDir, "git/functions.git"), { signal, environment });
  } catch (error) {
    if (!signal.aborted) log.warn({ err: reportOf(error) }, "tidying up failed");
  }
}

/** The work, at most once a day and not at the first call. */
function everyDay(work: () => Promise<void>): () => Promise<void> {
  let last = Date.now();
  return async () => {
    if (Date.now() - last < 24 * HOUR) return;
    last = Date.now();
    await work();
  };
}
