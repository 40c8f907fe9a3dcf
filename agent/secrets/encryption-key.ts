// The key that secrets are sealed with: from the environment, or made at the first start and kept in a file that only its
// owner reads. Invariant: it is never logged, and a file cut short is never taken for a key.

import { hkdfSync, randomBytes as nodeRandomBytes } from "node:crypto";
import { chmod, link, mkdir, open, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { WrkstError } from "../errors.js";

export interface EncryptionKeyOptions {
  /** The folder `secrets`; made with mode 0700. */
  folder: string;
  /** `ENCRYPTION_KEY`; then no file is read or made. */
  text?: string | undefined;
  randomBytes?: (size: number) => Buffer;
}

const FILE = "encryption-key";

/** 32 bytes. @throws WrkstError ERR_CONFIG when the file is there and holds no key */
export async function openEncryptionKey(options: EncryptionKeyOptions): Promise<Uint8Array> {
  if (options.text !== undefined) return derive(options.text);
  const file = join(options.folder, FILE);
  await mkdir(options.folder, { recursive: true, mode: 0o700 });
  return derive((await readKey(file)) ?? (await createKey(file, options.randomBytes ?? nodeRandomBytes)));
}

/** Of a text of any form 32 bytes that serve this purpose only. */
function derive(text: string): Uint8Array {
  return new Uint8Array(hkdfSync("sha256", text, "", "wrkst secrets", 32));
}

async function readKey(file: string): Promise<string | undefined> {
  const text = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (text === undefined) return undefined;
  await chmod(file, 0o600);
  if (text.trim().length >= 32) return text.trim();
  throw new WrkstError("ERR_CONFIG", `"${file}": expected a key of 32 characters or more`, {
    hint: "restore the file from a backup; without it the secrets of functions cannot be opened and must be set again",
  });
}

/** Whole or not at all. */
async function createKey(file: string, randomBytes: (size: number) => Buffer): Promise<string> {
  const key = randomBytes(32).toString("base64url");
  const temporary = `${file}.${randomBytes(6).toString("hex")}`;
  const handle = await open(temporary, "wx", 0o600);
  try {
    await handle.writeFile(`${key}\n`);
    await handle.sync();
    await handle.close();
    await link(temporary, file);
  } finally {
    await handle.close().catch(() => undefined);
    await rm(temporary, { force: true });
  }
  return key;
}
