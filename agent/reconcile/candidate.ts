// One declaration with all that the registry knows of it, as the plan wants it. Changes nothing.
import type { Declaration, Snapshot } from "../model.js";
import type { Candidate } from "../plan/plan.js";
import type { FunctionRecord } from "../store/index.js";
import type { Planning } from "./pass.js";

export async function candidateOf(
  deps: Pick<Planning, "refuse" | "registry" | "environment">,
  snapshot: Snapshot,
  declaration: Declaration,
  record: FunctionRecord | undefined,
): Promise<Candidate> {
  const refused = deps.refuse(declaration, record);
  const treeId = record && (await snapshot.treeId(declaration.folder));
  const builds = treeId ? deps.registry.builds(record.id, treeId, deps.environment ?? "") : [];
  const pastBuilds = builds.map(({ versionId: version, bundler, inputs }) => ({ version, bundler, inputs }));
  return { declaration, pastBuilds, ...(refused ? { refused } : {}) };
}
