// Every metric by name: what it counts, and its labels. Invariant: values of labels come from closed lists, names of sources and
// names of functions, so that nobody's requests can make series without end. Pure.

export interface Definition {
  name: string;
  type: "counter" | "gauge" | "histogram";
  help: string;
  labels: readonly string[];
}

const counter = (name: string, help: string, ...labels: string[]): Definition => ({
  ...{ name: `wrkst_${name}`, type: "counter", help, labels },
});
const gauge = (name: string, help: string, ...labels: string[]): Definition => ({
  ...{ name: `wrkst_${name}`, type: "gauge", help, labels },
});
const histogram = (name: string, help: string, ...labels: string[]): Definition => ({
  ...{ name: `wrkst_${name}`, type: "histogram", help, labels },
});

export const METRICS = {
  build: gauge("build_info", "Always 1; the labels say what runs", "version", "node", "workerd"),
  pushToLive: histogram(
    "push_to_live_seconds",
    'Time of passes that switched something, by phase; phase "total" is the whole pass',
    ...["source", "phase"],
  ),
  passes: counter("reconcile_total", "Passes, by what came of them", "source", "result"),
  lastFetch: gauge(
    "source_last_fetch_timestamp_seconds",
    "When the repository was last read with success, seconds since 1970; none before the first time",
    "source",
  ),
  staleness: gauge(
    "source_last_fetch_age_seconds",
    "Seconds since the repository was last read with success; none before the first time",
    "source",
  ),
  revisionAge: gauge("source_revision_age_seconds", "Seconds since the revision that serves was switched in", "source"),
  webhooks: counter("webhook_requests_total", "Calls of webhooks, by what came of them", "provider", "result"),
  notifications: counter(
    "notifications_total",
    "Attempts to tell forges and receivers of notifications something, by what came of them",
    ...["kind", "result"],
  ),
  deployments: counter("deployments_total", "Moves of traffic that were recorded, by cause", "cause"),
  drift: gauge("drift", "Declared functions that do not serve what git declares, by reason", "reason"),
  runtimeUp: gauge("runtime_up", "1 when the runtime answered while this was read, otherwise 0"),
  restarts: counter("runtime_restarts_total", "Starts of the runtime after its end, by why it ended", "reason"),
  requests: counter(
    "function_requests_total",
    "Requests to functions, by the class of the status that was answered",
    ...["function", "status"],
  ),
  requestSeconds: histogram("function_request_seconds", "Time until functions began to answer"),
  coldLoads: counter("function_cold_loads_total", "Loads of versions into the runtime"),
  isolates: gauge("isolates", "Versions that are loaded"),
  evictions: counter("isolate_evictions_total", "Versions that were unloaded"),
  databaseQueries: counter("d1_queries_total", "Statements of SQL that ran in databases or failed there"),
  databaseErrors: counter("d1_query_errors_total", "Those of them that failed"),
  databaseSeconds: histogram("d1_query_seconds", "Time of statements of SQL that ran"),
} as const satisfies Record<string, Definition>;
