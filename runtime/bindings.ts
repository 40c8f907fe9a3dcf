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
}

export interface CheckerBindings {
  LOADER: WorkerLoader;
  NONE: Fetcher;
}
