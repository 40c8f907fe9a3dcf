// Random histories of a monorepo, and what must hold after each step of one. For tests only.
import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { bareRepository, git } from "../../source/test-repository.js";
import { type Follower, openFollower } from "./follower.js";

/** Path → text of a whole revision. */
type Files = Record<string, string>;

export type Step =
  /** Makes the function, or changes what it answers and which shared file it imports. */
  | { kind: "write"; name: string; shared: string | null; text: number }
  | { kind: "share"; name: string; text: number }
  | { kind: "rename"; name: string; to: string }
  /** The same function in another folder, one of them deeper, where the shared files are not what it names. */
  | { kind: "move"; name: string; to: string }
  | { kind: "delete"; name: string }
  /** The files of an earlier revision, as a new commit. */
  | { kind: "revert"; back: number }
  /** A side branch that begins at an earlier revision and is merged. */
  | { kind: "merge"; back: number; name: string; text: number }
  /** The branch goes back, and on from there. */
  | { kind: "force"; back: number };

const NAMES = ["a", "b", "c", "d"];
const SHARED = ["x", "y"];
const PARENTS = ["fn", "other", "deep/er"];

const name = fc.constantFrom(...NAMES);
const text = fc.nat(3);
const back = fc.integer({ min: 1, max: 6 });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: writing() },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("share" as const), name: fc.constantFrom(...SHARED), text }) },
  fc.record({ kind: fc.constant("rename" as const), name, to: name }),
  fc.record({ kind: fc.constant("move" as const), name, to: fc.constantFrom(...PARENTS) }),
  fc.record({ kind: fc.constant("delete" as const), name }),
  fc.record({ kind: fc.constant("revert" as const), back }),
  fc.record({ kind: fc.constant("merge" as const), back, name, text }),
  fc.record({ kind: fc.constant("force" as const), back }),
);

function writing() {
  const shared = fc.option(fc.constantFrom(...SHARED));
  return fc.record({ kind: fc.constant("write" as const), name, shared, text });
}

export function histories(length: number): fc.Arbitrary<Step[]> {
  return fc.array(step, { minLength: length, maxLength: length, size: "max" });
}

interface Revision {
  commit: string;
  files: Files;
}

const entryOf = (shared: string | null, text: number) => {
  const importing = shared === null ? "" : `import { value } from "../../shared/${shared}";\n`;
  const value = shared === null ? '""' : "value";
  return `${importing}export default { fetch: () => new Response("${text}" + ${value}) };\n`;
};
const FIRST: Files = Object.fromEntries(
  SHARED.flatMap((one) => [
    [`shared/${one}.ts`, "export const value = 0;\n"],
    [`deep/shared/${one}.ts`, "export const value = 100;\n"],
  ]),
);

function folderOf(files: Files, name: string): string | undefined {
  return PARENTS.find((parent) => `${parent}/${name}/wrangler.toml` in files);
}

function withFunction(files: Files, parent: string, name: string, entry: string): Files {
  const manifest = `name = "${name}"\nmain = "index.ts"\ncompatibility_date = "2026-08-01"\n`;
  return { ...files, [`${parent}/${name}/wrangler.toml`]: manifest, [`${parent}/${name}/index.ts`]: entry };
}

function without(files: Files, name: string): Files {
  const isOther = (path: string) => path.split("/").at(-2) !== name;
  return Object.fromEntries(Object.entries(files).filter(([path]) => isOther(path)));
}

/** What the step makes of the files; the same files where it means nothing. */
function applied(files: Files, step: Exclude<Step, { kind: "revert" | "merge" | "force" }>): Files {
  if (step.kind === "share") return { ...files, [`shared/${step.name}.ts`]: `export const value = ${step.text};\n` };
  const parent = folderOf(files, step.name);
  if (step.kind === "write") {
    return withFunction(files, parent ?? "fn", step.name, entryOf(step.shared, step.text));
  }
  if (parent === undefined) return files;
  const entry = files[`${parent}/${step.name}/index.ts`]!;
  if (step.kind === "delete") return without(files, step.name);
  if (step.kind === "move") {
    return withFunction(without(files, step.name), step.to, step.name, entry);
  }
  return folderOf(files, step.to) ? files : withFunction(without(files, step.name), parent, step.to, entry);
}

/** All that a function is made of, as a naive builder would compare it; where it lies, since relative names begin there. */
function inputsOf(files: Files, name: string): string {
  const folder = `${folderOf(files, name)}/${name}/`;
  const shared = /shared\/(\w+)"/.exec(files[`${folder}index.ts`]!)?.[1];
  const place = folder.startsWith("deep/") ? "deep/shared" : "shared";
  return JSON.stringify([name, folder, files[`${folder}index.ts`], shared, shared && files[`${place}/${shared}.ts`]]);
}

const namesIn = (files: Files) => NAMES.filter((name) => folderOf(files, name) !== undefined);

/**
 * Walks the history in a repository of its own. After each step what serves is what a store serves that sees this revision
 * first (looked at after each step, or after the last one only), and what was built is what no earlier revision had; at the end a store that slept meanwhile agrees.
 */
export async function checkHistory(steps: readonly Step[], rebuild: "each" | "last" = "each"): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), "wrkst-histories-"));
  const open: Follower[] = [];
  const follower = async (folder: string) => {
    await mkdir(join(dir, folder));
    const made = await openFollower(join(dir, folder), repo);
    open.push(made);
    return made;
  };
  const repo = await bareRepository(join(dir, "repo.git"));
  try {
    let line: Revision[] = [{ commit: await commit(repo, FIRST, []), files: FIRST }];
    const [steady, sleepy] = [await follower("steady"), await follower("sleepy")];
    await sleepy.follow();
    const known = new Set<string>();
    for (const [index, step] of steps.entries()) {
      line = await advance(repo, line, step);
      const { files } = line.at(-1)!;
      await steady.follow();
      const where = `after step ${index}, ${JSON.stringify(step)}`;
      assert.deepEqual(Object.keys(steady.serving()).sort(), namesIn(files), where);
      if (rebuild === "each" || index === steps.length - 1) {
        const fresh = await follower(`fresh-${index}`);
        await fresh.follow();
        assert.deepEqual(steady.serving(), fresh.serving(), where);
      }
      const due = namesIn(files).filter((name) => !known.has(inputsOf(files, name)));
      assert.deepEqual(steady.takeBuilt(), due, `built ${where}`);
      for (const name of due) known.add(inputsOf(files, name));
    }
    await sleepy.follow();
    assert.deepEqual(sleepy.serving(), steady.serving(), "a store that slept");
  } finally {
    for (const one of open) await one.close();
    await rm(dir, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** The revisions of the branch once the step is done, oldest first. */
async function advance(repo: string, line: Revision[], step: Step): Promise<Revision[]> {
  const tip = line.at(-1)!;
  const add = async (files: Files, parents: string[], onto = line) => [
    ...onto,
    { commit: await commit(repo, files, parents), files },
  ];
  if (step.kind === "force") {
    const kept = line.slice(0, Math.max(1, line.length - step.back));
    await git(repo, ["update-ref", "refs/heads/main", kept.at(-1)!.commit]);
    return kept;
  }
  if (step.kind === "revert") return add((line.at(-1 - step.back) ?? line[0]!).files, [tip.commit]);
  if (step.kind === "merge") {
    const base = line.at(-1 - step.back) ?? line[0]!;
    const change = { kind: "write", name: step.name, shared: null, text: step.text } as const;
    const side = await commit(repo, applied(base.files, change), [base.commit], "side");
    return add(applied(tip.files, change), [tip.commit, side]);
  }
  return add(applied(tip.files, step), [tip.commit]);
}

/** A commit with exactly these files. */
async function commit(repo: string, files: Files, parents: string[], branch = "main"): Promise<string> {
  const lines = [`commit refs/heads/${branch}`, "committer a <a@b> 1700000000 +0000", "data 6", "change"];
  const [from, ...merged] = parents;
  if (from) lines.push(`from ${from}`, ...merged.map((id) => `merge ${id}`));
  lines.push("deleteall");
  for (const [path, text] of Object.entries(files)) lines.push(`M 100644 inline ${path}`, `data ${text.length}`, text);
  await git(repo, ["fast-import", "--quiet", "--force"], { input: `${lines.join("\n")}\n` });
  return (await git(repo, ["rev-parse", `refs/heads/${branch}`])).stdout.trim();
}
