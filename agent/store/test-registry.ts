// Registries in directories of their own, with a clock that tests move, and small values to fill them with. For tests only.

import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import type { Manifest, Revision } from "../model.js";
import { testManifest } from "../test-manifest.js";
import { openRegistry, type Registry, type RegistryOptions } from "./registry.js";
import type { FunctionChange, NewVersion, Switch, SwitchResult } from "./switch.js";

export const DAY = 86_400_000;

export interface TestRegistry {
  registry: Registry;
  file: string;
  clock: { now: number };
}

export function newFile(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), "wrkst-registry-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return join(dir, "registry.sqlite");
}

export function newRegistry(t: TestContext, options: RegistryOptions = {}): TestRegistry {
  const file = newFile(t);
  const clock = { now: 1_000_000_000_000 };
  const registry = openRegistry(file, { now: () => clock.now, ...options });
  t.after(() => registry.close());
  return { registry, file, clock };
}

export function manifestOf(name: string, change: Partial<Manifest> = {}): Manifest {
  return testManifest({ name, ...change });
}

export function digest(text: string): string {
  return `sha256:${createHash("sha256").update(text).digest("hex")}`;
}

export function revision(commit: string, source = "default"): Revision {
  return { source, branch: "main", commit: commit.padEnd(40, "0") };
}

/** A version called `<name>@<label>`. */
export function version(name: string, label: string, change: Partial<NewVersion> = {}): NewVersion {
  const id = `${name}@${label}`;
  const content = { artifact: digest(id), size: 100, manifest: manifestOf(name), entrypoints: ["default"] };
  return { id, function: name, account: "main", ...content, ...change };
}

export function change(name: string, label?: string, more: Partial<FunctionChange> = {}): FunctionChange {
  const latest = label === undefined ? {} : { latest: `${name}@${label}` };
  return { name, source: "default", folder: name, state: "ready", ...latest, ...more };
}

/** A push that makes every `name: label` serve version `<name>@<label>`; a null removes. Without a commit it is a direct deploy. */
export function push(
  registry: Registry,
  commit: string | null,
  functions: Record<string, string | null>,
  more: Partial<Switch> = {},
): SwitchResult {
  const entries = Object.entries(functions);
  return registry.applySwitch({
    cause: "push",
    author: "ann",
    ...(commit === null ? {} : { revision: revision(commit) }),
    functions: entries.map(([name, label]) =>
      label === null ? change(name, undefined, { state: "removed" }) : change(name, label),
    ),
    versions: entries.flatMap(([name, label]) => (label === null ? [] : [version(name, label)])),
    ...more,
  });
}
