// Makes a version out of a declaration: dependencies, bundle, load check, artifact. Touches no registry and no route.
import { type ArtifactStore, digestOf, encodeArtifact, encodeSourceMaps, versionId } from "../artifact/index.js";
import { readMigrations } from "../manifest/migrations.js";
import type { Bundle, BundleInputs, Declaration, Manifest, Snapshot, Version, Warning } from "../model.js";
import { inputsOf } from "../plan/surroundings.js";
import { checkLoad, type LoadChecker } from "./check-load.js";

export interface BuildDeps {
  account: string;
  bundlerId: string;
  bundler: {
    bundle(request: { root: string; folder: string; manifest: Manifest }, signal: AbortSignal): Promise<Bundle>;
  };
  installer: { install(folder: string, signal: AbortSignal, onStart?: () => void): Promise<{ files: string[] }> };
  checker: LoadChecker;
  artifacts: Pick<ArtifactStore, "put">;
  /** What the function will find in `env` beside its vars, in clear. */
  secretsOf(name: string): Record<string, string>;
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
  const migrations = await readMigrations(snapshot, declaration);
  const installed = await deps.installer.install(folder, signal, () => context.onInstall(folder));
  const bundle = await deps.bundler.bundle({ root, folder, manifest }, signal);
  const version = await versionOf(deps, declaration.name, folder, manifest, bundle, signal);
  const isOutside = (path: string) => !isInside(path, folder);
  const outsideFiles = [...bundle.outsideFiles, ...[...installed.files, ...migrations.files].filter(isOutside)];
  const outsideFolders = [...bundle.outsideFolders, ...migrations.folders.filter(isOutside)];
  const inputs = await inputsOf(snapshot, folder, { outsideFiles, outsideFolders });
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
  const hint = "mend the top level of the module and push again; until then nothing changes for callers";
  const loadable = { artifact: bytes, bundle, manifest, secrets: deps.secretsOf(name), folder, hint };
  const { entrypoints } = await checkLoad(deps.checker, loadable, signal);
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

function isInside(path: string, folder: string): boolean {
  return folder === "" || path.startsWith(`${folder}/`);
}
