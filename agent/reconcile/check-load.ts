// Runs the top level of a version in the checker, with its secrets, and words what is wrong with it. Keeps nothing.
import type { CheckRequest, CheckResult } from "../../runtime/wire.js";
import { mapErrorPositions } from "../artifact/index.js";
import { type Position, WrkstError } from "../errors.js";
import type { Bundle, Manifest } from "../model.js";
import { withoutSecrets } from "../secrets/sealing.js";

export interface LoadChecker {
  check(request: { artifact: Uint8Array; spec: CheckRequest }, signal: AbortSignal): Promise<CheckResult>;
}

export interface Loadable {
  artifact: Uint8Array;
  bundle: Pick<Bundle, "modules" | "sourceMaps">;
  manifest: Manifest;
  /** In clear. */
  secrets: Record<string, string>;
  /** Folder of the repository that modules without source map lie in; absent: their names stand for themselves. */
  folder?: string;
  hint: string;
}

/** Answers the entry points and the time it took; throws ERR_LOAD with the place in the source, and without any secret. */
export async function checkLoad(
  checker: LoadChecker,
  loadable: Loadable,
  signal: AbortSignal,
): Promise<{ entrypoints: string[]; milliseconds: number }> {
  const { artifact, bundle, manifest, secrets, folder = "", hint } = loadable;
  const { compatibilityDate, compatibilityFlags, vars } = manifest;
  // The database of its own is there without being declared.
  const databases = [...new Set(["D1", ...manifest.d1Databases.map(({ binding }) => binding)])];
  const result = await checker.check(
    { artifact, spec: { compatibilityDate, compatibilityFlags, vars, secrets, databases } },
    signal,
  );
  if (result.ok) return result;
  const message = withoutSecrets(result.message, Object.values(secrets));
  const mapped = mapErrorPositions(message, bundle.sourceMaps);
  const position = mapped.position ?? positionInModule(message, folder, bundle.modules);
  throw new WrkstError("ERR_LOAD", firstLines(mapped.message), { position, hint: result.hint ?? hint });
}

/** Modules without source map (no_bundle) are files of the repository themselves. */
function positionInModule(message: string, folder: string, modules: Bundle["modules"]): Position | undefined {
  const places = [...message.matchAll(/\bat (?:.*\()?([^\s()]+\.[cm]?js):(\d+):(\d+)/g)];
  const found = places.find(([, name]) => modules.some((module) => module.name === name));
  if (!found) return undefined;
  return { file: folder ? `${folder}/${found[1]}` : `${found[1]}`, line: Number(found[2]), column: Number(found[3]) };
}

/** workerd's message begins with a headline of its own; the cause is in the lines below it. */
function firstLines(message: string): string {
  const lines = message
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line && !/^failed to start worker:?$/i.test(line) && !line.startsWith("at "));
  return lines.slice(0, 3).join(" ").slice(0, 1000) || "the version does not load";
}
