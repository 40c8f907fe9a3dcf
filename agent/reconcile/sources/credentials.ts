// Credentials of sources that people add: sealed in the registry, in clear in the memory of the agent, and, where ssh wants
// files, in a folder that only this user can enter, for as long as the source is followed.
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { SealedSecrets, SourceCredentials } from "../../model.js";
import type { Sealing } from "../../secrets/sealing.js";
import type { Credentials } from "../../source/remote.js";

export type CredentialName = keyof SourceCredentials;
/** Those that are set, in clear. */
export type ClearCredentials = Partial<Record<CredentialName, string>>;

const NAMES: readonly CredentialName[] = ["username", "token", "sshKey", "knownHosts"];

/** Owner that credentials and secrets of webhooks are sealed for: no function has such an id. */
export function sealingOwner(source: string): string {
  return `source/${source}`;
}

/** What is given changes what there was: absent stays, null goes. */
export function mergeCredentials(before: ClearCredentials, given: SourceCredentials): ClearCredentials {
  const both = { ...before, ...withoutUndefined(given) };
  return Object.fromEntries(Object.entries(both).filter(([, value]) => value !== null && value !== ""));
}

function withoutUndefined(given: SourceCredentials): Partial<Record<CredentialName, string | null>> {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

export function sealCredentials(sealing: Sealing, source: string, clear: ClearCredentials): SealedSecrets {
  return sealing.seal(sealingOwner(source), clear as Record<string, string>);
}

export function openCredentials(sealing: Sealing, source: string, sealed: SealedSecrets): ClearCredentials {
  return sealing.open(sealingOwner(source), sealed);
}

export function credentialNames(sealed: SealedSecrets): CredentialName[] {
  return NAMES.filter((name) => Object.hasOwn(sealed, name));
}

/** What is set for the source of the environment, in the same words. */
export function namesOfEnvironment(credentials: Credentials): CredentialName[] {
  const { username, token, sshKeyFile, knownHostsFile } = credentials;
  const values = { username, token, sshKey: sshKeyFile, knownHosts: knownHostsFile };
  return NAMES.filter((name) => values[name] !== undefined);
}

export interface UsableCredentials {
  credentials: Credentials;
  /** Removes the files. */
  release(): Promise<void>;
}

/** As git takes them. */
export async function useCredentials(clear: ClearCredentials, keysDir: string): Promise<UsableCredentials> {
  const { username, token, sshKey, knownHosts } = clear;
  const plain = { ...(username === undefined ? {} : { username }), ...(token === undefined ? {} : { token }) };
  if (sshKey === undefined && knownHosts === undefined) return { credentials: plain, release: async () => {} };
  await mkdir(keysDir, { recursive: true, mode: 0o700 });
  const folder = await mkdtemp(join(keysDir, "keys-"));
  const write = async (name: string, text: string | undefined) => {
    if (text === undefined) return undefined;
    const file = join(folder, name);
    await writeFile(file, text.endsWith("\n") ? text : `${text}\n`, { mode: 0o600 });
    return file;
  };
  return {
    credentials: {
      ...plain,
      sshKeyFile: await write("key", sshKey),
      knownHostsFile: await write("known_hosts", knownHosts),
    },
    release: () => rm(folder, { recursive: true, force: true }),
  };
}
