// The front of previews: one loop for each source that has them.
import { WrkstError } from "../../errors.js";
import { createDeclarationReader } from "../../manifest/declarations.js";
import type { BranchPreview, Declaration, SourceSettings } from "../../model.js";
import type { Source } from "../../source/follow.js";
import type { PreviewRecord } from "../../store/index.js";
import { createKeptBuilds } from "../kept-builds.js";
import type { PassDeps } from "../pass.js";
import { PreviewLoop, type PreviewLoopDeps } from "./loop.js";
import { branchPreview, linesOfPreview, type UrlOf } from "./report.js";

export interface PreviewsDeps
  extends Pick<PreviewLoopDeps, "followed" | "calm" | "copies" | "tend" | "isSuspended" | "onMade" | "log"> {
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
  /** Ends what is under way, and settles when nothing is. */
  interrupt(reason: WrkstError): Promise<void>;
  readonly isBusy: boolean;
  isPreviewed(branch: string): boolean;
  /** Lines for the pusher, once the push of the branch is worked off; `commit` null: it was deleted. */
  follow(branch: string, commit: string | null): Promise<string[]>;
  /**
   * The commit that a branch, a tag or a commit is, readable from now on, and what it declares by that name.
   * @throws WrkstError ERR_NOT_FOUND, ERR_GIT_UNVERIFIED, ERR_GIT_…
   */
  look(
    ref: string,
    name: string,
    signal: AbortSignal,
  ): Promise<{ commit: string; declaration: Declaration | undefined }>;
  /** Refuses what no branch and no tag of the repository has. @throws ERR_NOT_FOUND, and as `Source` */
  expectPublished(commit: string, signal: AbortSignal): Promise<void>;
  /** What became of a commit that was asked for; as it is where that may still take long. */
  made(asked: PreviewRecord): Promise<PreviewRecord | undefined>;
  /** It is worked on, and not served yet, whatever is recorded. */
  isMaking(id: string): boolean;
  /** It was removed. */
  drop(id: string): void;
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
    find: async (commit, signal) => {
      await source.snapshot(commit).catch(() => source.resolve(commit, signal));
    },
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
    interrupt: (reason) => loop.interrupt(reason),
    get isBusy() {
      return loop.isBusy;
    },
    isPreviewed: (branch) => loop.isPreviewed(branch),
    async follow(branch, commit) {
      const record = await loop.settled(branch, commit);
      if (commit === null && !record) return [`wrkst: the preview of ${branch} is gone`];
      return linesOfPreview(branch, record && branchPreview(record, urlOf));
    },
    async look(ref, name, signal) {
      const commit = await source.resolve(ref, signal);
      await passes.verify?.(commit, signal);
      const { environment } = passes;
      const snapshot = await source.snapshot(commit);
      const all = await declarations.read(snapshot, environment === undefined ? {} : { environment });
      return { commit, declaration: all.find((one) => one.name === name) };
    },
    async expectPublished(commit, signal) {
      if (!(await source.contains(commit, signal))) throw notPublished(commit, source.repo);
    },
    made: (asked) => loop.made(asked),
    isMaking: (id) => loop.isMaking(id),
    drop: (id) => loop.drop(id),
    close: () => loop.close(),
  };
}

/** A forge hands out pull requests of strangers by their commits. They are not run on anybody's data. */
function notPublished(commit: string, repo: string): WrkstError {
  return new WrkstError("ERR_NOT_FOUND", `no branch and no tag of "${repo}" has the commit ${commit.slice(0, 12)}`, {
    hint: "look at it, push it to a branch of the repository, and ask again",
  });
}

/** `[wrkst] preview = false` and `preview_urls = false` switch it off for a function. */
export function isWanted({ manifest }: Pick<Declaration, "manifest">): boolean {
  return !manifest || (manifest.preview && manifest.previewUrls);
}
