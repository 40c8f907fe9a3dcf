// Checks OpenPGP signatures with gpg, in a home of its own that holds the given keys and nothing else: no agent, no
// network, no trust database. The verdict is what gpg writes to its status file descriptor, together with its exit code.

import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { WrkstError } from "../../errors.js";
import type { Signer } from "../../model.js";
import { printable } from "../remote.js";
import { type RefusedSignature, readStatus } from "./openpgp-status.js";
import type { SignedObject } from "./signed-object.js";
import { type Tools, withFolder } from "./tool.js";

const ALWAYS = [
  "--batch",
  "--no-tty",
  "--no-options",
  "--no-autostart",
  "--disable-dirmngr",
  "--no-auto-key-retrieve",
  "--no-auto-check-trustdb",
  // Who is in the keyring may sign: the operator put the keys there.
  "--trust-model=always",
  "--status-fd=3",
];

/**
 * @param keyring armored public keys.
 * @throws WrkstError ERR_GIT_UNVERIFIED; ERR_INVALID when gpg cannot read the keyring.
 */
export async function checkOpenPgp(
  object: SignedObject & { signature: Buffer },
  keyring: string,
  { tools, signal }: { tools: Tools; signal: AbortSignal },
): Promise<Signer> {
  return withFolder(async (folder) => {
    const home = join(folder, "home");
    const files = { signature: join(folder, "signature"), keyring: join(folder, "keyring") };
    await mkdir(home, { mode: 0o700 });
    await writeFile(files.signature, object.signature, { mode: 0o600 });
    await writeFile(files.keyring, keyring, { mode: 0o600 });
    const gpg = (args: string[], input?: Buffer) => {
      const all = [...ALWAYS, `--homedir=${home}`, ...args];
      return tools.run({ command: "gpg", args: all, ...(input ? { input } : {}) }, signal);
    };
    const imported = await gpg(["--import", files.keyring]);
    if (!/^\[GNUPG:\] IMPORT_OK /m.test(imported.status)) throw unreadable();
    const { code, status } = await gpg(["--verify", files.signature, "-"], object.payload);
    const verdict = readStatus(status);
    if ("reason" in verdict) throw refusal(object, verdict);
    if (code !== 0) throw refusal(object, { reason: undefined, key: verdict.fingerprint });
    return { what: object.what, kind: "openpgp", name: printable(verdict.userId), fingerprint: verdict.fingerprint };
  });
}

const REASONS: Record<NonNullable<RefusedSignature["reason"]>, (what: string, key: string) => string> = {
  bad: (what, key) => `the OpenPGP signature by key "${key}" does not fit the ${what}`,
  expired: (what, key) => `the OpenPGP signature of the ${what} by key "${key}" has expired`,
  "expired-key": (what, key) => `the ${what} is signed by OpenPGP key "${key}", which has expired`,
  "revoked-key": (what, key) => `the ${what} is signed by OpenPGP key "${key}", which was revoked`,
  "unknown-key": (what, key) => `the ${what} is signed by OpenPGP key "${key}", which may not sign or cannot be used`,
  several: (what) => `the ${what} has several OpenPGP signatures: expected one`,
};

function refusal({ what }: SignedObject, { reason, key }: RefusedSignature): WrkstError {
  const by = printable(key ?? "unknown");
  const message = reason
    ? REASONS[reason](what, by)
    : `gpg does not take the OpenPGP signature of the ${what} by "${by}"`;
  return new WrkstError("ERR_GIT_UNVERIFIED", message, {
    hint: `sign the ${what} with a key that is in the keyring and valid, or renew the key there`,
  });
}

function unreadable(): WrkstError {
  return new WrkstError("ERR_INVALID", "the keyring holds no OpenPGP public key that gpg can read", {
    hint: "write it with: gpg --export --armor <key>",
  });
}
