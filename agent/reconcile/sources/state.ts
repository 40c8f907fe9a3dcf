// How one source is, by what its passes reported. Says in the log of events when it fails and when it is well again.
import { formatRevision, type PassReport, type SourceStatus } from "../../model.js";
import { staleSince } from "../../plan/staleness.js";
import type { NewEvent, Registry } from "../../store/index.js";
import { signerOf } from "../verify.js";

export interface SourceState {
  status(): SourceStatus;
  /** Keeps what a pass reported. */
  record(report: PassReport): void;
}

export interface SourceStateDeps {
  registry: Pick<Registry, "lastRevision" | "functions" | "addEvent" | "setting">;
  /** Owner of what the source declares. */
  account: string;
  /** Milliseconds between two looks at it; null: only when something is pushed. */
  interval: number | null;
  now(): number;
}

export function createSourceState(
  { registry, account, interval, now }: SourceStateDeps,
  described: Pick<SourceStatus, "name" | "repo" | "path">,
  /** The branch or tag that is followed now. */
  branch: () => string,
): SourceState {
  const { name } = described;
  const serving = () => {
    const last = registry.lastRevision(name);
    const signedBy = last && signerOf(registry, name, last.commit);
    return { revision: last ? formatRevision(last) : null, ...(signedBy ? { signedBy } : {}) };
  };
  let known: Omit<SourceStatus, "branch"> = { ...described, ...serving(), state: "pending", lastFetch: null };
  const note = (event: NewEvent) => registry.addEvent({ ...event, source: name, account });

  function record(report: PassReport): void {
    if (report.result === "superseded") return;
    const { error } = report;
    const { error: before, signedBy: _, ...kept } = known;
    const isFetched = !error?.code.startsWith("ERR_GIT") || error.code === "ERR_GIT_UNVERIFIED";
    const lastFetch = isFetched ? new Date(now()).toISOString() : kept.lastFetch;
    const state = stateAfter(report);
    known = { ...kept, ...serving(), state, lastFetch, ...(error ? { error } : {}) };
    if (error && error.message !== before?.message) note({ kind: "source.failed", message: error.message, error });
    if (!error && before) note({ kind: "source.recovered", message: "the source is well again" });
  }

  /** A source is as well as the functions that it declares; a pass without anything new says nothing of them. */
  function stateAfter({ error, functions }: PassReport): SourceStatus["state"] {
    if (error) return error.code === "ERR_GIT_NO_BRANCH" ? "empty" : "failed";
    if (functions.length > 0) return functions.some((outcome) => outcome.error) ? "failed" : "ready";
    const { state, error: before } = known;
    return before || state === "pending" || state === "empty" ? stateOfFunctions() : state;
  }

  function stateOfFunctions(): SourceStatus["state"] {
    const own = registry.functions().filter((one) => one.source === name);
    return own.some(({ state }) => state === "failed" || state === "name-taken") ? "failed" : "ready";
  }

  function status(): SourceStatus {
    const stale = staleSince(known.lastFetch, interval, now());
    return { ...known, branch: branch(), ...(stale === undefined ? {} : { staleSince: stale }) };
  }

  return { status, record };
}
