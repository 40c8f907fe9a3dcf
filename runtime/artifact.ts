// Reads the bytes of an artifact: digest, header, modules. Pure; nothing is trusted before the digest fits.
import { ARTIFACT_MAGIC, type ArtifactHeader, type ModuleKind } from "./wire.js";

export interface Artifact {
  main: string;
  modules: { name: string; kind: ModuleKind; bytes: Uint8Array }[];
}

const PREAMBLE = 8;

/** Throws where the bytes are not those that the name (64 hex) promises. */
export async function verifyDigest(bytes: Uint8Array<ArrayBuffer>, name: string): Promise<void> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  const hex = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
  if (hex !== name) throw new Error(`artifact "${name}" is corrupt: its bytes have the digest "${hex}"`);
}

/** The modules are views into the bytes. Throws where the file is not an artifact. */
export function decodeArtifact(bytes: Uint8Array): Artifact {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const magic = bytes.length < PREAMBLE ? "" : String.fromCharCode(...bytes.subarray(0, 4));
  if (magic !== ARTIFACT_MAGIC) throw new Error(`an artifact begins with "${ARTIFACT_MAGIC}"`);
  const start = PREAMBLE + view.getUint32(4);
  if (start > bytes.length) throw new Error("the header of the artifact is cut off");
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(PREAMBLE, start))) as ArtifactHeader;
  const modules = header.modules.map(({ name, kind, offset, length }) => {
    if (start + offset + length > bytes.length) throw new Error(`module "${name}" of the artifact is cut off`);
    return { name, kind, bytes: bytes.subarray(start + offset, start + offset + length) };
  });
  return { main: header.main, modules };
}
