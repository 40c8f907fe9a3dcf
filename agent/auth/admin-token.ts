// The break-glass token: made at the first start, kept in a file that only its owner reads. Invariant: its value is
// never logged, and is compared in constant time.

import { createHash, randomBytes as nodeRandomBytes } from "node:crypto";
import { chmod, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { isSameSecret } from "../constant-time.js";
import { WrkstError } from "../errors.js";
import { readSecretFile, writeSecretFile } from "./secret-file.js";

export interface AdminTokenOptions {
  /** The folder `secrets`; made with mode 0700. */
  folder: string;
  /** `ADMIN_TOKEN`: off refuses every token, and makes no file. */
  enabled: boolean;
  randomBytes?: (size: number) => Buffer;
}

export interface AdminToken {
  /** Where the token lies, or undefined when it is off. */
  file: string | undefined;
  /** Whether this is the token. */
  matches(presented: string): boolean;
}

const FILE = "admin-token";

/** @throws WrkstError ERR_CONFIG when the file is there and holds no token. */
export async function openAdminToken(options: AdminTokenOptions): Promise<AdminToken> {
  if (!options.enabled) return { file: undefined, matches: () => false };
  const { folder, randomBytes = nodeRandomBytes } = options;
  const file = join(folder, FILE);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await chmod(folder, 0o700);
  const kept = await readSecretFile(file);
  if (kept !== undefined) refuseOdd(kept, file);
  const token = kept ?? (await writeSecretFile(file, `wrkst_${randomBytes(32).toString("base64url")}`));
  const expected = digestOf(token);
  return { file, matches: (presented) => isSameSecret(digestOf(presented), expected) };
}

function refuseOdd(token: string, file: string): void {
  if (token.length >= 32 && !/\s/.test(token)) return;
  throw new WrkstError("ERR_CONFIG", `"${file}": expected a token of 32 characters or more`, {
    hint: "delete the file: the next start makes a new token",
  });
}

/** Equal length for every input, so that the comparison tells nothing of the length either. */
function digestOf(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}
