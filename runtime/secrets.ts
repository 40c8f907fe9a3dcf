// Opens sealed secrets with the platform's key. The key and the values stay in memory; errors name the secret, never its value.
import { type SealedValues, sealedFor } from "./wire.js";

const NONCE_BYTES = 12;

/** `key`: base64 of 32 bytes, or null where the process was given none. */
export function createOpening(
  key: string | null | undefined,
): (sealed: SealedValues) => Promise<Record<string, string>> {
  let imported: Promise<CryptoKey> | undefined;
  const keyOf = () => {
    if (!key) throw new Error("the runtime was given no key for secrets");
    imported ??= crypto.subtle.importKey("raw", bytesOf(key), "AES-GCM", false, ["decrypt"]);
    return imported;
  };
  return async ({ owner, values }) => {
    const names = Object.keys(values);
    const opened = await Promise.all(names.map((name) => open(keyOf(), sealedFor(owner, name), name, values[name]!)));
    return Object.fromEntries(names.map((name, index) => [name, opened[index]!]));
  };
}

async function open(key: Promise<CryptoKey>, additional: string, name: string, sealed: string): Promise<string> {
  const bytes = bytesOf(sealed.replaceAll("-", "+").replaceAll("_", "/"));
  const algorithm = {
    name: "AES-GCM",
    iv: bytes.subarray(0, NONCE_BYTES),
    additionalData: new TextEncoder().encode(additional),
  };
  try {
    return new TextDecoder().decode(await crypto.subtle.decrypt(algorithm, await key, bytes.subarray(NONCE_BYTES)));
  } catch {
    throw new Error(`the secret "${name}" does not open: it was sealed with another key, or for another function`);
  }
}

function bytesOf(base64: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}
