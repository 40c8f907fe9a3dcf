// What the tests of this folder share: temporary checkouts and manifests. Used by tests only.

import { mkdir, mkdtemp, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { TestContext } from "node:test";
import type { Bundle, Manifest } from "../model.js";
import { testManifest } from "../test-manifest.js";

export type Files = Record<string, string | Uint8Array | { link: string }>;

/** A folder that is gone after the test. */
export async function temporaryFolder(t: TestContext): Promise<string> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), "wrkst-bundle-")));
  t.after(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  return folder;
}

export async function writeFiles(root: string, files: Files): Promise<void> {
  for (const [path, content] of Object.entries(files)) {
    const target = join(root, path);
    await mkdir(dirname(target), { recursive: true });
    if (typeof content === "string" || content instanceof Uint8Array) await writeFile(target, content);
    else await symlink(content.link, target);
  }
}

/** A checkout with these files, gone after the test. */
export async function checkout(t: TestContext, files: Files): Promise<string> {
  const root = await temporaryFolder(t);
  await writeFiles(root, files);
  return root;
}

export function manifestOf(part: Partial<Manifest> = {}): Manifest {
  return testManifest({ compatibilityDate: "2026-07-01", ...part });
}

export function textOf(bundle: Bundle, name = bundle.main): string {
  return Buffer.from(bundle.modules.find((module) => module.name === name)?.bytes ?? []).toString("utf8");
}
