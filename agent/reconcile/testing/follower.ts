// A store that follows a repository by the real pass, in this process: real git, plan, bundler and registry. For tests only; what
// needs workerd is left out: every version loads, nothing is published.
import { join } from "node:path";
import { openArtifactStore } from "../../artifact/index.js";
import { buildFunction } from "../../bundle/build.js";
import { BUNDLER_ID } from "../../bundle/bundler.js";
import { openInstaller } from "../../bundle/installer.js";
import { createDeclarationReader } from "../../manifest/declarations.js";
import type { PassReport } from "../../model.js";
import { openCheckout } from "../../source/checkout.js";
import { openSource } from "../../source/follow.js";
import { openRegistry, type Registry } from "../../store/index.js";
import { createKeptBuilds } from "../kept-builds.js";
import { type PassDeps, runPass } from "../pass.js";

export interface Follower {
  readonly registry: Registry;
  /** One pass, which may remove as much as it likes. */
  follow(): Promise<PassReport>;
  /** Function → version that serves. */
  serving(): Record<string, string | null>;
  /** Functions that were bundled since the call before. */
  takeBuilt(): string[];
  close(): Promise<void>;
}

/** @param dir a folder of its own */
export async function openFollower(dir: string, repo: string): Promise<Follower> {
  const registry = openRegistry(join(dir, "registry.sqlite"));
  const source = await openSource({
    ...{ name: "default", follow: { branch: "main" }, path: "", pollInterval: 0, repo: { embedded: repo } },
    gitDir: join(dir, "git"),
  });
  const checkout = openCheckout(join(dir, "work"));
  let built: string[] = [];
  const deps: PassDeps = {
    ...{ source, registry, checkout, account: "main", bundlerId: BUNDLER_ID, environment: undefined, seed: undefined },
    underWay: new Map(),
    bundler: {
      bundle(request) {
        built.push(request.manifest.name);
        return buildFunction(request);
      },
    },
    installer: openInstaller({ cacheDir: join(dir, "packages"), root: checkout.dir, environment: {} }),
    checker: { check: async () => ({ ok: true, entrypoints: ["default"], milliseconds: 1 }) },
    artifacts: await openArtifactStore(join(dir, "artifacts")),
    kept: createKeptBuilds(),
    declarations: createDeclarationReader(),
    // No function of a history has migrations.
    migrating: {} as PassDeps["migrating"],
    pruneLimit: { share: 0.5, count: 3 },
    prepare: async () => new Map(),
    publisher: { publish: async () => undefined, inStep: true },
    refuse: () => undefined,
    secretsOf: () => ({}),
    knownVersion: (id) => registry.version(id),
    urlOf: (name) => `http://${name}.localhost`,
    now: Date.now,
    concurrency: 4,
  };
  const pass = { cause: "push", author: "test", force: false, prune: true } as const;
  return {
    registry,
    follow: () =>
      runPass(deps, {
        ...pass,
        signal: new AbortController().signal,
        observe: () => undefined,
        commit: () => undefined,
      }),
    serving: () => Object.fromEntries(registry.functions().map(({ name, latest }) => [name, latest])),
    takeBuilt() {
      const taken = built.sort();
      built = [];
      return taken;
    },
    async close() {
      await source.close();
      registry.close();
    },
  };
}
