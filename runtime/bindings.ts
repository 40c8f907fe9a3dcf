// The bindings that agent/runtime/workerd-config.ts gives to the two workers. Types only.
import type { RouterSettings } from "./wire.js";

export interface RouterBindings {
  LOADER: WorkerLoader;
  SETTINGS: RouterSettings;
  AGENT: Fetcher;
  ROUTES: Fetcher;
  ARTIFACTS: Fetcher;
  PUBLIC: Fetcher;
  PRIVATE: Fetcher;
  NONE: Fetcher;
  /** workerd's own client of databases; `new D1_TEMPLATE.constructor(fetcher)` is another one. */
  D1_TEMPLATE: D1Database;
  /** The objects that hold databases, by `objectName`. A ward has none. */
  DATABASES?: DurableObjectNamespace;
  /** In a ward: the process that has them. */
  D1?: Fetcher;
  /** From the environment of the process; null where it was given none. */
  SECRETS_KEY: string | null;
  /** Processes for suspects; a ward itself has none. */
  [ward: `WARD_${number}`]: Fetcher;
}

export interface CheckerBindings {
  LOADER: WorkerLoader;
  NONE: Fetcher;
  D1_TEMPLATE: D1Database;
}

export interface RehearsalBindings {
  DATABASES: DurableObjectNamespace;
  SETTINGS: Pick<RouterSettings, "d1">;
}
