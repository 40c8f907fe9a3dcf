// Makes a version out of a declaration: dependencies, bundle, load check, artifact. Touches no registry and no route.
import type { CheckRequest, CheckResult } from "../../runtime/wire.js";
import {
  type ArtifactStore,
  digestOf,
  encodeArtifact,
  encodeSourceMaps,
  mapErrorPositions,
  versionId,
} from "../artifact/index.js";
import { type Position, WrkstError } from "../errors.js";
import type { Bundle, BundleInputs, Declaration, Manifest, Snapshot, Version, Warning } from "../model.js";
import { inputsOf } from "../plan/surroundings.js";

export interface BuildDeps {
  account: string;
  bundlerId: string;
  bundler: {
    bundle(request: { root: string; folder: string; manifest: Manifest }, signal: AbortSignal): Promise<Bundle>;
  };
  installer: { install(folder: string, signal: AbortSignal, onStart?: () => void): Promise<{ files: string[] }> };
  checker: {
    check(request: { artifact: Uint8Array; spec: CheckRequest }, signal: AbortSignal): Promise<CheckResult>;
  };
  artifacts: Pick<ArtifactStore, "put">;
  /** A version with this id is there already: its load was checked once. */
  knownVersion(id: string): Version | undefined;
  now(): number;
}

/** A version that may be switched to, and what it was made from. */
export interface Built {
  version: Version;
  treeId: string;
  inputs: BundleInputs;
  warnings: Warning[];
}

export interface BuildContext {
  snapshot: Snapshot;
  /** The checkout's folder. */
  root: string;
  signal: AbortSignal;
  onInstall(folder: string): void;
}

/** Throws the `WrkstError` that names what is wrong with the function, with its position in the repository. */
export async function buildVersion(deps: BuildDeps, declaration: Declaration, context: BuildContext): Promise<Built> {
  const { folder, manifest } = declaration;
  if (!manifest) throw new TypeError(`the declaration of "${declaration.name}" has no manifest`);
  const { root, signal, snapshot } = context;
  const installed = await deps.installer.install(folder, signal, () => context.onInstall(folder));
  const bundle = await deps.bundler.bundle({ root, folder, manifest }, signal);
  const version = await versionOf(deps, declaration.name, folder, manifest, bundle, signal);
  const outsideFiles = [...bundle.outsideFiles, ...installed.files.filter((path) => !isInside(path, folder))];
  const inputs = await inputsOf(snapshot, folder, { outsideFiles, outsideFolders: bundle.outsideFolders });
  const treeId = await snapshot.treeId(folder);
  if (treeId === undefined) throw new TypeError(`the folder "${folder}" is not in the revision`);
  return { version, treeId, inputs, warnings: bundle.warnings };
}

async function versionOf(
  deps: BuildDeps,
  name: string,
  folder: string,
  manifest: Manifest,
  bundle: Bundle,
  signal: AbortSignal,
): Promise<Version> {
  const bytes = encodeArtifact(bundle);
  const artifact = digestOf(bytes);
  const id = versionId({ account: deps.account, function: name, artifact, manifest, bundler: deps.bundlerId });
  const known = deps.knownVersion(id);
  if (known) return known;
  const entrypoints = await checkLoad(deps, bytes, folder, manifest, bundle, signal);
  await deps.artifacts.put(bytes);
  const hasMaps = Object.keys(bundle.sourceMaps).length > 0;
  return {
    id,
    function: name,
    account: deps.account,
    artifact,
    ...(hasMaps ? { sourceMaps: await deps.artifacts.put(encodeSourceMaps(bundle.sourceMaps)) } : {}),
    size: bundle.modules.reduce((sum, module) => sum + module.bytes.byteLength, 0),
    manifest,
    entrypoints,
    createdAt: deps.now(),
  };
}

/** Runs the module scope in the checker. Answers the entry points; throws ERR_LOAD with the place in the source. */
async function checkLoad(
  deps: BuildDeps,
  artifact: Uint8Array,
  folder: string,
  manifest: Manifest,
  bundle: Bundle,
  signal: AbortSignal,
): Promise<string[]> {
  const { compatibilityDate, compatibilityFlags, vars } = manifest;
  const result = await deps.checker.check({ artifact, spec: { compatibilityDate, compatibilityFlags, vars } }, signal);
  if (result.ok) return result.entrypoints;
  const mapped = mapErrorPositions(result.message, bundle.sourceMaps);
  const position = mapped.position ?? positionInModule(result.message, folder, bundle);
  throw new WrkstError("ERR_LOAD", firstLines(mapped.message), {
    position,
    hint:
      result.hint ?? "the version that served before keeps serving; mend the top level of the module and push again",
  });
}

/** Modules without source map (no_bundle) are files of the repository themselves. */
function positionInModule(message: string, folder: string, bundle: Bundle): Position | undefined {
  const found = /\bat (?:.*\()?([^\s()]+\.[cm]?js):(\d+):(\d+)/.exec(message);
  if (!found || !bundle.modules.some((module) => module.name === found[1])) return undefined;
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

function isInside(path: string, folder: string): boolean {
  return folder === "" || path.startsWith(`${folder}/`);
}
