// The policy of the environment's source, read from the operator's files, and what checks commits under it. The files are
// read before every check, so that a key that was added or taken out counts without a restart.

import { readFile } from "node:fs/promises";
import type { ProcessConfig } from "./config.js";
import { WrkstError } from "./errors.js";
import type { VerifyPolicy } from "./model.js";
import { createVerify, type VerifyDeps, type Verifying } from "./reconcile/verify.js";
import { createSignatureChecker } from "./source/signatures/index.js";

type Files = Pick<ProcessConfig["git"], "tags" | "verifySignersFile" | "verifyKeyringFile">;

/** Whether the environment's source deploys signed commits only. */
export function isVerified({ verifySignersFile, verifyKeyringFile }: Omit<Files, "tags">): boolean {
  return verifySignersFile !== undefined || verifyKeyringFile !== undefined;
}

/**
 * Undefined: anybody may sign, or nobody. What is missing, a file or a tool, ends the start.
 *
 * @throws WrkstError ERR_CONFIG
 */
export async function openVerify(
  { git, environment }: ProcessConfig,
  deps: Pick<VerifyDeps, "source" | "registry">,
): Promise<Verifying | undefined> {
  if (!isVerified(git)) return undefined;
  const checker = createSignatureChecker({ environment });
  let last = await readPolicy(git);
  const policy = async () => {
    last = await readPolicy(git);
    return last;
  };
  const requireTools = (signal: AbortSignal) => checker.requireTools(last, signal);
  await requireTools(new AbortController().signal);
  return { verify: createVerify({ ...deps, policy, checker }), policy: () => last, requireTools };
}

async function readPolicy({ tags, verifySignersFile, verifyKeyringFile }: Files): Promise<VerifyPolicy> {
  const signers = await readKeys("GIT_VERIFY_SIGNERS", verifySignersFile, /^[^#\s]/m, "a line for each signer");
  const keyring = await readKeys("GIT_VERIFY_KEYRING", verifyKeyringFile, ARMOR, "armored OpenPGP public keys");
  return {
    what: tags === undefined ? "commit" : "tag",
    ...(signers === undefined ? {} : { signers }),
    ...(keyring === undefined ? {} : { keyring }),
  };
}

const ARMOR = /^-----BEGIN PGP PUBLIC KEY BLOCK-----$/m;

async function readKeys(
  variable: string,
  file: string | undefined,
  pattern: RegExp,
  expected: string,
): Promise<string | undefined> {
  if (file === undefined) return undefined;
  const text = await readFile(file, "utf8").catch((cause: unknown) => {
    throw new WrkstError("ERR_CONFIG", `${variable}: "${file}" cannot be read`, { cause, hint: SEE });
  });
  if (pattern.test(text.replaceAll("\r", ""))) return text;
  throw new WrkstError("ERR_CONFIG", `${variable}: expected ${expected} in "${file}", received none`, { hint: SEE });
}

const SEE = 'see "docs/verification.md"';
