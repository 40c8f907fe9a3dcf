// Seals secrets for their function and name, and opens them. Pure but for randomness; errors name a secret, never its value.

import { createCipheriv, createDecipheriv, randomBytes as nodeRandomBytes } from "node:crypto";
import { sealedFor } from "../../runtime/wire.js";
import { WrkstError } from "../errors.js";
import type { SealedSecrets } from "../model.js";

export interface Sealing {
  /** `owner`: the immutable id of the function. The same value is sealed differently every time. */
  seal(owner: string, values: Record<string, string>): SealedSecrets;
  /** @throws WrkstError ERR_CONFIG where they were sealed with another key, or for another function or name */
  open(owner: string, sealed: SealedSecrets): Record<string, string>;
}

const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** `key`: 32 bytes. The form of what is sealed is described in runtime/wire.ts. */
export function createSealing(key: Uint8Array, randomBytes: (size: number) => Buffer = nodeRandomBytes): Sealing {
  function seal(owner: string, name: string, value: string): string {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(Buffer.from(sealedFor(owner, name)));
    const sealed = Buffer.concat([nonce, cipher.update(value, "utf8"), cipher.final(), cipher.getAuthTag()]);
    return sealed.toString("base64url");
  }

  function open(owner: string, name: string, sealed: string): string {
    const bytes = Buffer.from(sealed, "base64url");
    const nonce = bytes.subarray(0, NONCE_BYTES);
    const tag = bytes.subarray(bytes.length - TAG_BYTES);
    try {
      const decipher = createDecipheriv("aes-256-gcm", key, nonce, { authTagLength: TAG_BYTES });
      decipher.setAAD(Buffer.from(sealedFor(owner, name))).setAuthTag(tag);
      const body = bytes.subarray(NONCE_BYTES, bytes.length - TAG_BYTES);
      return Buffer.concat([decipher.update(body), decipher.final()]).toString("utf8");
    } catch {
      throw new WrkstError("ERR_CONFIG", `the secret "${name}" does not open with this encryption key`, {
        hint: "start with the ENCRYPTION_KEY (or the file secrets/encryption-key) that it was set with, or set it again",
      });
    }
  }

  const each = (values: Record<string, string>, change: (name: string, value: string) => string) =>
    Object.fromEntries(Object.entries(values).map(([name, value]) => [name, change(name, value)]));
  return {
    seal: (owner, values) => each(values, (name, value) => seal(owner, name, value)),
    open: (owner, sealed) => each(sealed, (name, value) => open(owner, name, value)),
  };
}

/** The text with every value taken out, for what a function's own code said about itself. */
export function withoutSecrets(text: string, values: Iterable<string>): string {
  let clean = text;
  for (const value of [...values].sort((a, b) => b.length - a.length)) {
    if (value !== "") clean = clean.replaceAll(value, "[secret]");
  }
  return clean;
}
