// The bytes of an artifact, as `runtime/wire.ts` lays them out. Pure; equal bundles give equal bytes, on any machine.

import { ARTIFACT_MAGIC, type ArtifactHeader } from "../../runtime/wire.js";
import { WrkstError } from "../errors.js";
import type { BundleModule, ModuleKind } from "../model.js";

/** What an artifact holds: the modules, sorted by name, and which of them is run. */
export interface ArtifactContent {
  main: string;
  modules: BundleModule[];
}

const KINDS: ReadonlySet<string> = new Set(["esm", "cjs", "text", "data", "json", "wasm"] satisfies ModuleKind[]);
const PREFIX_LENGTH = 8;

/** The bundle as artifact. The order of the modules does not matter. Throws a `TypeError` for a bundle without its main module or with two modules of one name. */
export function encodeArtifact(bundle: ArtifactContent): Uint8Array {
  const modules = [...bundle.modules].sort(byName);
  const problem = problemOf(bundle.main, modules);
  if (problem) throw new TypeError(problem);
  let offset = 0;
  const header: ArtifactHeader = {
    main: bundle.main,
    modules: modules.map(({ name, kind, bytes }) => {
      const entry = { name, kind, offset, length: bytes.length };
      offset += bytes.length;
      return entry;
    }),
  };
  const json = Buffer.from(JSON.stringify(header), "utf8");
  const prefix = Buffer.alloc(PREFIX_LENGTH);
  prefix.write(ARTIFACT_MAGIC, 0, "latin1");
  prefix.writeUInt32BE(json.length, 4);
  return Buffer.concat([prefix, json, ...modules.map((module) => module.bytes)]);
}

/** The modules of an artifact. They share the memory of `bytes`. Throws ERR_ARTIFACT_CORRUPT for anything that `encodeArtifact` would not have written. */
export function decodeArtifact(bytes: Uint8Array): ArtifactContent {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (buffer.length < PREFIX_LENGTH || buffer.toString("latin1", 0, 4) !== ARTIFACT_MAGIC) {
    throw corrupt(`expected it to begin with "${ARTIFACT_MAGIC}"`);
  }
  const bodyStart = PREFIX_LENGTH + buffer.readUInt32BE(4);
  if (bodyStart > buffer.length) throw corrupt("the header is cut off");
  const header = parseHeader(buffer.toString("utf8", PREFIX_LENGTH, bodyStart));
  const modules = sliceModules(header, buffer.subarray(bodyStart));
  const problem = problemOf(header.main, modules);
  if (problem) throw corrupt(problem);
  return { main: header.main, modules };
}

/** Source maps by module name as bytes that can be stored like an artifact. */
export function encodeSourceMaps(maps: Record<string, string>): Uint8Array {
  const sorted = Object.entries(maps).sort(([a], [b]) => (a < b ? -1 : 1));
  return Buffer.from(JSON.stringify(sorted), "utf8");
}

/** Throws ERR_ARTIFACT_CORRUPT for anything that `encodeSourceMaps` would not have written. */
export function decodeSourceMaps(bytes: Uint8Array): Record<string, string> {
  const entries = parseJson(Buffer.from(bytes).toString("utf8"));
  if (!Array.isArray(entries) || !entries.every(isTextPair)) throw corrupt("expected a list of source maps");
  return Object.fromEntries(entries);
}

function byName(a: BundleModule, b: BundleModule): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}

function problemOf(main: string, modules: { name: string }[]): string | undefined {
  const names = new Set(modules.map((module) => module.name));
  if (names.size !== modules.length) return "two modules have one name";
  return names.has(main) ? undefined : `the main module "${main}" is not among the modules`;
}

function parseHeader(text: string): ArtifactHeader {
  const header = parseJson(text);
  if (!isObject(header) || typeof header.main !== "string" || !Array.isArray(header.modules)) {
    throw corrupt("the header has no main module or no list of modules");
  }
  return { main: header.main, modules: header.modules.map(checkEntry) };
}

function checkEntry(entry: unknown): ArtifactHeader["modules"][number] {
  const { name, kind, offset, length } = isObject(entry) ? entry : {};
  if (typeof name !== "string" || typeof kind !== "string" || !KINDS.has(kind) || !isSize(offset) || !isSize(length)) {
    throw corrupt("an entry of the header is malformed");
  }
  return { name, kind: kind as ModuleKind, offset, length };
}

/** The modules lie one after the other without gap or overlap, and nothing follows the last. */
function sliceModules(header: ArtifactHeader, body: Buffer): BundleModule[] {
  let end = 0;
  const modules = header.modules.map(({ name, kind, offset, length }) => {
    if (offset !== end || offset + length > body.length) throw corrupt(`module "${name}" does not lie where it should`);
    end = offset + length;
    return { name, kind, bytes: new Uint8Array(body.buffer, body.byteOffset + offset, length) };
  });
  if (end !== body.length) throw corrupt(`expected ${end} bytes of modules, received ${body.length}`);
  return modules;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw corrupt("expected JSON", cause);
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isSize(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isTextPair(value: unknown): value is [string, string] {
  return Array.isArray(value) && value.length === 2 && value.every((part) => typeof part === "string");
}

function corrupt(reason: string, cause?: unknown): WrkstError {
  return new WrkstError("ERR_ARTIFACT_CORRUPT", `an artifact is malformed: ${reason}`, { cause });
}
