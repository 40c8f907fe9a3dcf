// Wires what functions say: from the runtime to whoever listens, and to the disk.
import { join } from "node:path";
import { type ArtifactStore, createPositionMapper, decodeSourceMaps } from "./artifact/index.js";
import type { Log } from "./log.js";
import type { FunctionSettings } from "./model.js";
import type { FunctionRecord, Registry } from "./store/index.js";
import {
  createHub,
  createTails,
  type Hub,
  type KeptLogs,
  type MapPlaces,
  openKeptLogs,
  type Tails,
} from "./tail/index.js";

export interface AgentTail {
  hub: Hub;
  tails: Tails;
  kept: KeptLogs;
  /** What serves has changed: other functions may be observed now. */
  refresh(): void;
  close(): void;
}

export interface AgentTailOptions {
  dataDir: string;
  /** Milliseconds that logs are kept. */
  retention: number;
  log: Log;
  registry: Pick<Registry, "functions" | "functionByName" | "allFunctionSettings" | "version">;
  artifacts: Pick<ArtifactStore, "get">;
  runtime: { listen(functions: string[]): Promise<void> };
}

/** Source maps may be large, and few versions throw at a time. */
const MAPPERS = 20;
/** Bytes; what is larger would hold up the agent while it is read. */
const MAX_SOURCE_MAPS = 16 * 2 ** 20;
const HOUR = 3_600_000;
/** Milliseconds between looks whether those who listen may do so still. */
const CHECK_INTERVAL = 30_000;

export function openAgentTail(options: AgentTailOptions): AgentTail {
  const { dataDir, retention, log, registry, runtime } = options;
  const kept = openKeptLogs(join(dataDir, "logs.sqlite"), {
    retention,
    now: Date.now,
    onDamage: (message) => log.warn(message),
  });
  const hub = createHub({
    onHeard: (functions) => runtime.listen(functions),
    keep(name, logs) {
      const id = logs.length ? registry.functionByName(name)?.id : undefined;
      if (id) kept.add(id, logs);
    },
    placesOf: createPlaces(options),
    now: Date.now,
    chance: Math.random,
  });
  const tails = createTails({ hub, now: Date.now });
  const isObserved = createObservation(registry);
  kept.prune();
  const pruning = setInterval(() => kept.prune(), HOUR).unref();
  const checking = setInterval(() => void hub.check(), CHECK_INTERVAL).unref();
  const observe = () => {
    const settings = registry.allFunctionSettings();
    const observed = registry.functions().filter((record) => isObserved(record, settings.get(record.id)));
    hub.observe(observed.map(({ name }) => name));
  };
  let refreshing: NodeJS.Immediate | undefined;
  return {
    hub,
    tails,
    kept,
    /** A moment later: a switch does not wait for it. */
    refresh() {
      refreshing ??= setImmediate(() => {
        refreshing = undefined;
        observe();
      });
    },
    close() {
      clearInterval(pruning);
      clearInterval(checking);
      clearImmediate(refreshing);
      hub.close();
      kept.close();
    },
  };
}

/** Whether a function keeps what it says: by its settings, or by its version, which never changes and is looked up once. */
function createObservation(registry: Pick<AgentTailOptions["registry"], "version">) {
  const known = new Map<string, boolean>();
  const isDeclared = (version: string | null): boolean => {
    if (version === null) return false;
    const isKnown = known.get(version) ?? registry.version(version)?.manifest.observability ?? false;
    known.set(version, isKnown);
    return isKnown;
  };
  return ({ latest }: FunctionRecord, settings: Partial<FunctionSettings> = {}): boolean =>
    settings.observability ?? isDeclared(latest);
}

/** Mappers of the versions that were asked for last. A version without readable source maps keeps its places. */
function createPlaces({ registry, artifacts, log }: AgentTailOptions): (version: string) => Promise<MapPlaces> {
  const mappers = new Map<string, Promise<MapPlaces>>();
  const load = async (version: string): Promise<MapPlaces> => {
    try {
      const digest = registry.version(version)?.sourceMaps;
      const bytes = digest ? await artifacts.get(digest) : undefined;
      return createPositionMapper(bytes && bytes.length <= MAX_SOURCE_MAPS ? decodeSourceMaps(bytes) : {});
    } catch (error) {
      log.warn({ err: error, version }, "the source maps of a version cannot be read");
      return createPositionMapper({});
    }
  };
  return (version) => {
    const mapper = mappers.get(version) ?? load(version);
    mappers.delete(version);
    mappers.set(version, mapper);
    for (const oldest of mappers.keys()) if (mappers.size > MAPPERS) mappers.delete(oldest);
    return mapper;
  };
}
