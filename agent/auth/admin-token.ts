// The break-glass token: made at the first start, kept in a file that only its owner reads. Invariant: its value is
// never logged, and is compared in constant time.

import { createHash, randomBytes as nodeRandomBytes, timingSafeEqual } from "node:crypto";
import { chmod, link, mkdir, open, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { WrkstError } from "../errors.js";

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
  const file = join(options.folder, FILE);
  await mkdir(options.folder, { recursive: true, mode: 0o700 });
  await chmod(options.folder, 0o700);
  const token = (await readToken(file)) ?? (await createToken(file, options.randomBytes ?? nodeRandomBytes));
  const expected = digestOf(token);
  return { file, matches: (presented) => timingSafeEqual(digestOf(presented), expected) };
}

async function readToken(file: string): Promise<string | undefined> {
  const text = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (text === undefined) return undefined;
  await chmod(file, 0o600);
  const token = text.trim();
  if (token.length >= 32 && !/\s/.test(token)) return token;
  throw new WrkstError("ERR_CONFIG", `"${file}": expected a token of 32 characters or more`, {
    hint: "delete the file: the next start makes a new token",
  });
}

/** Whole or not at all: a token cut short by a crash would lock the operator out. */
async function createToken(file: string, randomBytes: (size: number) => Buffer): Promise<string> {
  const token = `wrkst_${randomBytes(32).toString("base64url")}`;
  const temporary = `${file}.${randomBytes(6).toString("hex")}`;
  const handle = await open(temporary, "wx", 0o600);
  try {
    await handle.writeFile(`${token}\n`);
    await handle.sync();
    await handle.close();
    await link(temporary, file);
  } finally {
    await handle.close().catch(() => undefined);
    await rm(temporary, { force: true });
  }
  return token;
}

/** Equal length for every input, so that the comparison tells nothing of the length either. */
function digestOf(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}
