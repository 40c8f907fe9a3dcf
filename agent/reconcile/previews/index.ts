// The front of previews: one loop for each source that has them.
import { createDeclarationReader } from "../../manifest/declarations.js";
import type { BranchPreview, Declaration, SourceSettings } from "../../model.js";
import type { Source } from "../../source/follow.js";
import { createKeptBuilds } from "../kept-builds.js";
import type { PassDeps } from "../pass.js";
import { PreviewLoop, type PreviewLoopDeps } from "./loop.js";
import { branchPreview, linesOfPreview, type UrlOf } from "./report.js";

export interface PreviewsDeps extends Pick<PreviewLoopDeps, "followed" | "calm" | "copies" | "tend" | "log"> {
  source: Source;
  settings: Pick<SourceSettings, "previews" | "previewSecrets">;
  /** Those of the source's passes. */
  passes: PassDeps;
  /** Of its own: production's stays as it is. */
  checkout: PassDeps["checkout"];
  installer: PassDeps["installer"];
  urlOf: UrlOf;
}

/** Of one source. */
export interface Previews {
  /** By branch. */
  list(): BranchPreview[];
  wake(): void;
  readonly isBusy: boolean;
  isPreviewed(branch: string): boolean;
  /** Lines for the pusher, once the push of the branch is worked off; `commit` null: it was deleted. */
  follow(branch: string, commit: string | null): Promise<string[]>;
  close(): Promise<void>;
}

export function openPreviews(deps: PreviewsDeps): Previews {
  const { source, settings, passes, urlOf } = deps;
  const { registry } = passes;
  const declarations = createDeclarationReader();
  const loop = new PreviewLoop({
    ...deps,
    patterns: settings.previews,
    hasSecrets: settings.previewSecrets,
    branches: (signal) => source.branches(signal),
    bringIn: (branches, signal) => source.bringIn(branches, signal),
    publish: () => passes.publisher.publish(),
    passes: {
      ...passes,
      ...{ checkout: deps.checkout, installer: deps.installer, kept: createKeptBuilds() },
      declarations: {
        read: async (snapshot, options) => (await declarations.read(snapshot, options)).filter(isWanted),
      },
      // A preview claims no hosts.
      refuse: () => undefined,
      secretsOf: settings.previewSecrets ? passes.secretsOf : () => ({}),
    },
  });
  const list = () => registry.previews.all(source.name).flatMap((record) => branchPreview(record, urlOf) ?? []);
  return {
    list,
    wake: () => loop.wake(),
    get isBusy() {
      return loop.isBusy;
    },
    isPreviewed: (branch) => loop.isPreviewed(branch),
    async follow(branch, commit) {
      const record = await loop.settled(branch, commit);
      if (commit === null && !record) return [`wrkst: the preview of ${branch} is gone`];
      return linesOfPreview(branch, record && branchPreview(record, urlOf));
    },
    close: () => loop.close(),
  };
}

/** `[wrkst] preview = false` and `preview_urls = false` switch it off for a function. */
function isWanted({ manifest }: Declaration): boolean {
  return !manifest || (manifest.preview && manifest.previewUrls);
}
