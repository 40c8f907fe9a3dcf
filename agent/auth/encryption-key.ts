// The key that secrets of functions are sealed with: from the settings, or made at the first start. Invariant: never logged,
// readable by its owner only; a file cut short is never taken for a key (SECURITY.md B8).

import { hkdfSync, randomBytes } from "node:crypto";
import { join } from "node:path";
import { WrkstError } from "../errors.js";
import { readSecretFile, writeSecretFile } from "./secret-file.js";

const FILE = "encryption-key";

/** 32 bytes. `text`: `ENCRYPTION_KEY`; then no file is read or made. @throws WrkstError ERR_CONFIG for a file that holds no key */
export async function openEncryptionKey(folder: string, text: string | undefined): Promise<Uint8Array> {
  if (text !== undefined) return derive(text);
  const file = join(folder, FILE);
  const kept = (await readSecretFile(file)) ?? (await writeSecretFile(file, randomBytes(32).toString("base64url")));
  if (kept.length >= 32) return derive(kept);
  throw new WrkstError("ERR_CONFIG", `"${file}": expected a key of 32 characters or more`, {
    hint: "restore the file from a backup; without it the secrets of functions cannot be opened and must be set again",
  });
}

/** Of a text of any form 32 bytes that serve this purpose only. */
function derive(text: string): Uint8Array {
  return new Uint8Array(hkdfSync("sha256", text, "", "wrkst secrets", 32));
}
