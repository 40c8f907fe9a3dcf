// Parts of an upload as modules: names that are safe as paths of a bundle, kinds by content type or by name. Pure.

import { RESERVED_MODULES } from "../../../runtime/wire.js";
import { WrkstError } from "../../errors.js";
import type { BundleModule, ModuleKind, Upload } from "../../model.js";
import type { Part } from "../multipart.js";

const MAX_NAME = 512;
const SOURCE_MAP = "application/source-map";

const KIND_BY_TYPE: Record<string, ModuleKind> = {
  "application/javascript+module": "esm",
  "application/javascript": "cjs",
  "application/wasm": "wasm",
  "application/json": "json",
  "text/plain": "text",
  "application/octet-stream": "data",
};
const KIND_BY_EXTENSION: Record<string, ModuleKind> = {
  ...{ js: "esm", mjs: "esm", cjs: "cjs", wasm: "wasm", json: "json" },
  ...{ txt: "text", html: "text", htm: "text", css: "text", sql: "text", md: "text", svg: "text", xml: "text" },
};
/** What senders write who know nothing of a part. */
const USELESS = new Set(["text/plain", "application/octet-stream"]);
const PYTHON = new Set(["text/x-python", "text/x-python-requirement"]);

/** @throws WrkstError ERR_INVALID, ERR_BINDING_UNSUPPORTED for Python */
export function readModules(parts: Part[], mainPart: string): Upload["bundle"] {
  const main = moduleName(mainPart);
  const maps = parts.filter(({ type }) => type === SOURCE_MAP);
  const code = parts.filter(({ type }) => type !== SOURCE_MAP);
  const isLabelled = code.some(({ type }) => type?.startsWith("application/javascript"));
  const modules = code.map((part): BundleModule => {
    const name = moduleName(part.name);
    return { name, kind: kindOf(part, { name, isMain: name === main, isLabelled }), bytes: part.bytes };
  });
  refuseDoubles(modules);
  if (!modules.some(({ name }) => name === main)) {
    throw new WrkstError("ERR_INVALID", `expected a part for the main module "${main}", received none`);
  }
  modules.sort((a, b) => (a.name < b.name ? -1 : 1));
  return { main, modules, sourceMaps: sourceMapsOf(maps) };
}

function refuseDoubles(modules: BundleModule[]): void {
  const names = new Set<string>();
  for (const { name } of modules) {
    if (names.has(name)) throw new WrkstError("ERR_INVALID", `two parts are the module "${name}"`);
    names.add(name);
  }
}

/**
 * The name as the bundle has it: relative, without `./`.
 * @throws WrkstError ERR_INVALID for what leads out of the bundle or is the platform's
 */
export function moduleName(raw: string): string {
  const name = raw.replace(/^(?:\.\/)+/, "");
  const fault = faultOf(name);
  if (fault === undefined) return name;
  throw new WrkstError("ERR_INVALID", `the module name "${raw.slice(0, 80)}" is refused: ${fault}`);
}

function faultOf(name: string): string | undefined {
  if (Buffer.byteLength(name) > MAX_NAME) return `it has more than ${MAX_NAME} bytes`;
  if (name === "" || name.startsWith("/") || /^[a-z][a-z0-9+.-]*:/i.test(name)) return "expected a relative path";
  if (/[\x00-\x1f\x7f\\]/.test(name)) return "it has a control character or a backslash";
  if (name.split("/").some((step) => step === "" || step === "." || step === ".."))
    return 'it has a step "", "." or ".."';
  if (RESERVED_MODULES.includes(name) || name === "__proto__") return "it is a module of the platform";
  return undefined;
}

interface Place {
  name: string;
  isMain: boolean;
  /** Some part says that it is JavaScript: then the types of the others are meant too. */
  isLabelled: boolean;
}

function kindOf({ type }: Part, { name, isMain, isLabelled }: Place): ModuleKind {
  if (type !== undefined && PYTHON.has(type)) {
    throw new WrkstError("ERR_BINDING_UNSUPPORTED", `the module "${name}" is Python: not supported here`);
  }
  const byName = kindByName(name);
  const isUseless = type === undefined || (USELESS.has(type) && (!isLabelled || isCode(byName)));
  const known = isUseless ? undefined : KIND_BY_TYPE[type];
  if (known) return known;
  if (isMain) return byName === "cjs" ? "cjs" : "esm";
  return byName ?? (type?.startsWith("text/") ? "text" : "data");
}

/** No sender means JavaScript or WebAssembly to be text or data because it says `text/plain`. */
function isCode(kind: ModuleKind | undefined): boolean {
  return kind === "esm" || kind === "cjs" || kind === "wasm";
}

function kindByName(name: string): ModuleKind | undefined {
  const [, extension = ""] = /\.([a-z0-9]+)$/i.exec(name) ?? [];
  return Object.hasOwn(KIND_BY_EXTENSION, extension) ? KIND_BY_EXTENSION[extension] : undefined;
}

/** Maps by the name of the module that they belong to: `index.js.map` → `index.js`. */
function sourceMapsOf(parts: Part[]): Record<string, string> {
  return Object.fromEntries(
    parts.map(({ name, bytes }) => [moduleName(name).replace(/\.map$/, ""), Buffer.from(bytes).toString("utf8")]),
  );
}
