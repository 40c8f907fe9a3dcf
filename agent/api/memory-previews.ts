// Previews in memory, for tests of what stands in front of them: the API and the command line.
import { WrkstError } from "../errors.js";
import type { PreviewEntry } from "../model.js";
import type { CommitPreviews } from "../reconcile/previews.js";

export interface MemoryPreviews extends CommitPreviews {
  /** What was asked for, as `<function> <ref>`. */
  asked: string[];
  all: PreviewEntry[];
}

export function previewEntry(more: Partial<PreviewEntry> = {}): PreviewEntry {
  const commit = "3f9c2a1b7d3e5f6a8b9c0d1e2f3a4b5c6d7e8f90";
  return {
    ...{ id: "p1", function: "hello", account: "main", source: "default", branch: null, commit, state: "ready" },
    ...{ version: "0f3a1b2c-0000-8000-8000-000000000000", url: `http://${commit.slice(0, 12)}--hello.localhost:8080` },
    ...{ createdAt: 0, updatedAt: 0, expiresAt: 604_800_000 },
    ...more,
  };
}

/** A request finds what is there; what is not there is found once `wait` is said. */
export function createMemoryPreviews(): MemoryPreviews {
  const previews: MemoryPreviews = {
    asked: [],
    all: [],
    async request({ name }, { ref, wait }) {
      previews.asked.push(`${name} ${ref}`);
      const found = previews.all.find((one) => one.function === name && one.commit.startsWith(ref));
      if (!found) throw new WrkstError("ERR_NOT_FOUND", `"${ref}" is no branch, tag or commit of "embedded"`);
      if (wait) Object.assign(found, { state: "ready" });
      const { id, source, commit, expiresAt, version, url, state } = found;
      if (state === "building") return { id, source, state: "running", preview: found };
      return { function: name, source, commit, state: "ready", version: version ?? "", url: url ?? "", expiresAt };
    },
    list: (name) => previews.all.filter((one) => name === undefined || one.function === name),
    async remove({ name }, commit) {
      const kept = previews.all.filter((one) => one.function !== name || !one.commit.startsWith(commit));
      if (kept.length === previews.all.length) throw new WrkstError("ERR_NOT_FOUND", "there is no such preview");
      previews.all = kept;
    },
    job: () => undefined,
  };
  return previews;
}
