// Keys, signatures and signed commits that tests make for themselves, with the tools of a user.

import { execFile, spawnSync } from "node:child_process";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { git } from "../test-repository.js";

const run = promisify(execFile);

export interface SshKey {
  /** Path of the private key. */
  file: string;
  /** `ssh-ed25519 AAAA…`. */
  publicKey: string;
  /** `SHA256:…`. */
  fingerprint: string;
}

export async function createSshKey(folder: string, name: string, type = "ed25519"): Promise<SshKey> {
  const file = join(folder, name);
  await run("ssh-keygen", ["-q", "-t", type, "-N", "", "-C", name, "-f", file]);
  const [kind, key] = (await readFile(`${file}.pub`, "utf8")).split(" ");
  const { stdout } = await run("ssh-keygen", ["-l", "-f", `${file}.pub`]);
  return { file, publicKey: `${kind} ${key}`, fingerprint: stdout.split(" ")[1] ?? "" };
}

/** A home of gpg with a key of its own. */
export interface PgpKey {
  home: string;
  /** Upper-case hex. */
  fingerprint: string;
  /** Armored public key. */
  publicKey(): Promise<string>;
  gpg(...args: string[]): Promise<string>;
  /** Ends the agent that gpg started for this home. */
  close(): Promise<void>;
}

export const hasGpg = spawnSync("gpg", ["--version"]).status === 0;

/** @param expires as gpg takes it: `0` for never, `seconds=1`. */
export async function createPgpKey(home: string, person: string, expires = "0"): Promise<PgpKey> {
  await mkdir(home, { mode: 0o700 });
  const gpg = async (...args: string[]) => {
    const all = ["--homedir", home, "--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", "", ...args];
    return (await run("gpg", all)).stdout;
  };
  await gpg("--quick-generate-key", person, "ed25519", "sign", expires);
  const listed = await gpg("--list-keys", "--with-colons");
  const fingerprint = /^fpr:+([0-9A-F]{40}):/m.exec(listed)?.[1] ?? "";
  return {
    ...{ home, fingerprint, gpg },
    publicKey: () => gpg("--armor", "--export", fingerprint),
    close: async () => void (await run("gpgconf", ["--homedir", home, "--kill", "all"])),
  };
}

export interface Signing {
  ssh?: SshKey;
  pgp?: PgpKey;
}

/** Settings and environment of a git that signs. */
export function signingGit({ ssh, pgp }: Signing): { settings: string[]; env: Record<string, string> } {
  if (ssh) return { settings: ["-c", "gpg.format=ssh", "-c", `user.signingKey=${ssh.file}`], env: {} };
  if (pgp) return { settings: ["-c", `user.signingKey=${pgp.fingerprint}`], env: { GNUPGHOME: pgp.home } };
  return { settings: [], env: {} };
}

/** A commit of the empty tree, signed as told, at a time in seconds. Answers its id. */
export async function signedCommit(repo: string, signing: Signing, { time = 1_700_000_000, message = "change" } = {}) {
  const tree = (await git(repo, ["mktree"], { input: "" })).stdout.trim();
  const { settings, env } = signingGit(signing);
  const date = `${time} +0000`;
  const dates = { GIT_AUTHOR_DATE: date, GIT_COMMITTER_DATE: date };
  const sign = settings.length ? ["-S"] : [];
  const made = await git(repo, [...settings, "commit-tree", ...sign, "-m", message, tree], {
    env: { ...env, ...dates },
  });
  return made.stdout.trim();
}

export async function rawObject(repo: string, type: "commit" | "tag", id: string): Promise<Buffer> {
  const options = { cwd: repo, encoding: "buffer", maxBuffer: 1 << 24 } as const;
  return (await run("git", ["cat-file", type, id], options)).stdout;
}

/** Writes bytes as an object, whatever they are. Answers its id. */
export async function writeObject(repo: string, type: "commit" | "tag", bytes: Buffer): Promise<string> {
  return (await git(repo, ["hash-object", "-w", "-t", type, "--literally", "--stdin"], { input: bytes })).stdout.trim();
}
