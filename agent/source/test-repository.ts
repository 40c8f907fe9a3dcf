// Real repositories in temporary folders, for the tests of this folder.

import { type ExecFileException, execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { gitEnvironment } from "./git.js";

/** A folder that goes when the test ends. */
export async function temporaryFolder(t: TestContext): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "wrkst-source-"));
  t.after(() => rm(dir, { recursive: true, force: true, maxRetries: 5 }));
  return dir;
}

export interface Ran {
  stdout: string;
  stderr: string;
  code: number;
}

const PERSON = { GIT_AUTHOR_NAME: "a", GIT_AUTHOR_EMAIL: "a@b", GIT_COMMITTER_NAME: "a", GIT_COMMITTER_EMAIL: "a@b" };

/** Runs the git of a user, in `dir`; fails the test unless `fails` allows it. */
export function git(
  dir: string,
  args: string[],
  options: { input?: string | Buffer; fails?: boolean; env?: Record<string, string> } = {},
): Promise<Ran> {
  const env = gitEnvironment({}, { ...PERSON, GIT_ALLOW_PROTOCOL: "http:https:file", ...options.env });
  return new Promise((resolve, reject) => {
    const child = execFile(
      "git",
      args,
      { cwd: dir, env, maxBuffer: 64 << 20 },
      (error: ExecFileException | null, stdout, stderr) => {
        if (error && !options.fails) reject(new Error(`git ${args.join(" ")}: ${stderr}`));
        else resolve({ stdout, stderr, code: typeof error?.code === "number" ? error.code : 0 });
      },
    );
    child.stdin?.on("error", () => {});
    child.stdin?.end(options.input);
  });
}

export type Files = Record<string, string | Buffer | null>;

/** Commits files on top of a branch of any repository, without a working copy. null removes. Answers the commit. */
export async function commit(
  repo: string,
  files: Files,
  { branch = "main", message = "change" } = {},
): Promise<string> {
  const parent = (
    await git(repo, ["rev-parse", "-q", "--verify", `refs/heads/${branch}`], { fails: true })
  ).stdout.trim();
  const parts: (string | Buffer)[] = [
    `commit refs/heads/${branch}\ncommitter a <a@b> 1700000000 +0000\n${data(message)}`,
  ];
  if (parent) parts.push(`from ${parent}\n`);
  for (const [path, content] of Object.entries(files)) {
    if (content === null) parts.push(`D ${path}\n`);
    else parts.push(`M 100644 inline ${path}\ndata ${Buffer.byteLength(content)}\n`, content, "\n");
  }
  const input = Buffer.concat([...parts, "\n"].map((part) => Buffer.from(part as string)));
  await git(repo, ["fast-import", "--quiet", "--force"], { input });
  return (await git(repo, ["rev-parse", `refs/heads/${branch}`])).stdout.trim();
}

function data(text: string): string {
  return `data ${Buffer.byteLength(text)}\n${text}\n`;
}

export async function bareRepository(dir: string): Promise<string> {
  await git("/", ["init", "--quiet", "--bare", "--template=", "--initial-branch=main", dir]);
  return dir;
}

export interface RawEntry {
  mode: string;
  name: string | Buffer;
  id: string;
}

/** Writes a tree byte by byte, as no git command would. */
export async function rawTree(repo: string, entries: RawEntry[]): Promise<string> {
  const input = Buffer.concat(
    entries.flatMap(({ mode, name, id }) => [
      Buffer.from(`${mode} `),
      Buffer.from(name as string),
      Buffer.from([0]),
      Buffer.from(id, "hex"),
    ]),
  );
  return (await git(repo, ["hash-object", "-w", "-t", "tree", "--literally", "--stdin"], { input })).stdout.trim();
}

export async function blob(repo: string, input: string | Buffer): Promise<string> {
  return (await git(repo, ["hash-object", "-w", "--stdin"], { input })).stdout.trim();
}

/** Makes a tree the newest commit of a branch. */
export async function commitTree(repo: string, tree: string, branch = "main"): Promise<string> {
  const id = (await git(repo, ["commit-tree", "-m", "tree", tree])).stdout.trim();
  await git(repo, ["update-ref", `refs/heads/${branch}`, id]);
  return id;
}

/** Waits until the condition holds; the test's own time limit ends it otherwise. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 60_000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error("the condition never held");
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
