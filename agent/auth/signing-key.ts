// The key that signs access tokens: from the settings, or made at the first start. Invariant: never logged, readable by its
// owner only, never shorter than 32 bytes (SECURITY.md A6).

import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { WrkstError } from "../errors.js";
import { readSecretFile, writeSecretFile } from "./secret-file.js";

const FILE = "jwt-secret";

/** @throws WrkstError ERR_CONFIG for a file that holds no key */
export async function openSigningKey(folder: string, secret: string | undefined): Promise<Uint8Array> {
  if (secret !== undefined) return keyOf(secret);
  const file = join(folder, FILE);
  const kept = (await readSecretFile(file)) ?? (await writeSecretFile(file, randomBytes(48).toString("base64url")));
  if (Buffer.byteLength(kept) >= 32) return keyOf(kept);
  throw new WrkstError("ERR_CONFIG", `"${file}": expected a secret of 32 bytes or more`, {
    hint: "delete the file: the next start makes a new secret, and everybody logs in again",
  });
}

function keyOf(secret: string): Uint8Array {
  return new TextEncoder().encode(secret);
}
