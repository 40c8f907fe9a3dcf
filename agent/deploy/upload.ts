// Decides what version an upload makes: which names and sizes pass, what is kept from the version before. Pure.
import { WrkstError } from "../errors.js";
import {
  type BindingKind,
  type D1Binding,
  isDatabaseName,
  isFunctionName,
  type Manifest,
  type SealedSecrets,
  type Upload,
} from "../model.js";
import { bindingTaken, checkBindingName, checkModuleName, checkValueName, invalid } from "./names.js";

/** Limits of what a client may bring (SECURITY.md B2). Bytes, unless said otherwise. */
export const UPLOAD_LIMITS = {
  modules: 64 * 2 ** 20,
  sourceMaps: 64 * 2 ** 20,
  /** Modules. */
  count: 2_000,
  /** Vars and secrets as JSON. */
  env: 2 ** 20,
  /** Levels of one JSON value. */
  depth: 100,
  /** Characters of message and tag. */
  text: 1_000,
};

/** The version that a client builds on. */
export interface Before {
  /** Databases by their ids, so that what is kept stays the same database. */
  manifest: Manifest;
  secrets: SealedSecrets;
}

/** What `env` of the version will hold. */
export interface Environment {
  vars: Record<string, unknown>;
  /** Of the version before, as they are. */
  kept: SealedSecrets;
  /** New ones, in clear. */
  fresh: Record<string, string>;
  databases: D1Binding[];
}

/** Where no client and no version before says one; the day of the runtime that this release ships. */
export const DEFAULT_COMPATIBILITY_DATE = "2026-08-01";

/** @throws WrkstError ERR_INVALID, ERR_TOO_LARGE with the limit named */
export function checkUpload({ bundle, message, tag, share = [] }: Upload): void {
  const { main, modules, sourceMaps } = bundle;
  within(modules.length, UPLOAD_LIMITS.count, "modules");
  within(sum(modules.map(({ bytes }) => bytes.byteLength)), UPLOAD_LIMITS.modules, "bytes of modules");
  within(sum(Object.values(sourceMaps).map(byteLength)), UPLOAD_LIMITS.sourceMaps, "bytes of source maps");
  const names = new Set<string>();
  for (const { name } of modules) {
    checkModuleName(name);
    if (names.has(name)) throw invalid(`the module "${name}" is there twice`);
    names.add(name);
  }
  if (!names.has(main))
    throw invalid(`expected the main module ${JSON.stringify(main.slice(0, 100))} among the modules`);
  const wrong = share.find((name) => name !== "*" && !isFunctionName(name));
  if (wrong !== undefined) {
    throw invalid(`expected "share" to be names of functions, received ${JSON.stringify(wrong.slice(0, 100))}`);
  }
  for (const [what, text] of Object.entries({ message, tag })) {
    if ((text?.length ?? 0) > UPLOAD_LIMITS.text) throw invalid(`expected a ${what} of at most 1,000 characters`);
  }
}

/**
 * What `bindings` names, then what is kept of the version before.
 * @throws WrkstError ERR_INHERIT with one sentence for each name that is not there, in Cloudflare's words;
 * ERR_BINDING_TAKEN where a secret that is kept has the name of something else; ERR_INVALID, ERR_TOO_LARGE
 */
export function environmentOf({ bindings, keep }: Pick<Upload, "bindings" | "keep">, before?: Before): Environment {
  const env: Environment = { vars: {}, kept: {}, fresh: {}, databases: [] };
  const named = new Set<string>();
  const missing: string[] = [];
  for (const binding of bindings) {
    const { name, kind } = binding;
    if (kind === "d1" || kind === "inherit") checkBindingName(name);
    else checkValueName(name);
    if (named.has(name)) throw invalid(`the binding "${name}" is there twice`);
    named.add(name);
    if (binding.kind === "text") env.vars[name] = binding.text;
    else if (binding.kind === "secret") env.fresh[name] = binding.text;
    else if (binding.kind === "json") env.vars[name] = checkDepth(name, binding.json);
    else if (binding.kind === "d1") env.databases.push(databaseOf(binding));
    else if (!inherit(env, name, before)) missing.push(name);
  }
  if (missing.length) {
    throw new WrkstError("ERR_INHERIT", missing.map((name) => `inherit binding '${name}' is invalid`).join("; "), {
      hint: "the version before has no binding of that name: give its value",
    });
  }
  if (keep.includes("secret")) refuseHiding(Object.keys(before?.secrets ?? {}), bindings);
  for (const name of keptNames(keep, before)) if (!named.has(name)) inherit(env, name, before);
  within(byteLength(JSON.stringify([env.vars, env.kept, env.fresh])), UPLOAD_LIMITS.env, "bytes of vars and secrets");
  return env;
}

/** A value that nobody can read again is not to go because another binding got its name. */
function refuseHiding(secrets: string[], bindings: Upload["bindings"]): void {
  const hiding = bindings.find(({ kind, name }) => ["text", "json", "d1"].includes(kind) && secrets.includes(name));
  if (hiding)
    throw bindingTaken(hiding.name, `delete it first, or choose another name: wrkst secret delete ${hiding.name}`);
}

/** @throws WrkstError ERR_INVALID */
function databaseOf({ name, id, databaseName }: Extract<Upload["bindings"][number], { kind: "d1" }>): D1Binding {
  if (databaseName !== undefined && !isDatabaseName(databaseName)) {
    throw invalid(`expected the database of "${name}" to have a name of letters, digits, "-" and "_", at most 64`);
  }
  return {
    binding: name,
    ...(databaseName === undefined ? {} : { databaseName }),
    ...(id === undefined ? {} : { databaseId: id }),
  };
}

function inherit(env: Environment, name: string, before: Before | undefined): boolean {
  const database = before?.manifest.d1Databases.find(({ binding }) => binding === name);
  if (database) env.databases.push(database);
  else if (before && Object.hasOwn(before.secrets, name)) env.kept[name] = before.secrets[name]!;
  else if (before && Object.hasOwn(before.manifest.vars, name)) env.vars[name] = before.manifest.vars[name];
  else return false;
  return true;
}

function keptNames(keep: BindingKind[], before: Before | undefined): string[] {
  if (!before) return [];
  const kindOf = (value: unknown): BindingKind => (typeof value === "string" ? "text" : "json");
  const vars = Object.entries(before.manifest.vars).filter(([, value]) => keep.includes(kindOf(value)));
  return [
    ...vars.map(([name]) => name),
    ...(keep.includes("d1") ? before.manifest.d1Databases.map(({ binding }) => binding) : []),
    ...(keep.includes("secret") ? Object.keys(before.secrets) : []),
  ];
}

/** The manifest that a wrangler file would have given, with the defaults of one for all that an upload does not say. */
export function manifestOf(
  name: string,
  upload: Omit<Upload, "bindings" | "keep" | "client">,
  { vars, databases }: Pick<Environment, "vars" | "databases">,
  before?: Manifest,
): Manifest {
  const { compatibilityDate, compatibilityFlags, health, observability } = upload;
  const share = upload.share ?? before?.share ?? [];
  const autoRollback = upload.autoRollback ?? before?.autoRollback;
  const gradual = upload.gradual ?? before?.gradual;
  return {
    name,
    main: upload.bundle.main,
    compatibilityDate: compatibilityDate ?? before?.compatibilityDate ?? DEFAULT_COMPATIBILITY_DATE,
    compatibilityFlags: compatibilityFlags ?? before?.compatibilityFlags ?? [],
    vars,
    ...{ d1Databases: databases, rules: [], alias: {}, define: {}, hosts: [] },
    ...{ noBundle: true, findAdditionalModules: false, minify: false, keepNames: true, preserveFileNames: false },
    workersDev: before?.workersDev ?? true,
    previewUrls: before?.previewUrls ?? true,
    observability: observability ?? before?.observability ?? false,
    ...(health === undefined ? {} : { health }),
    egress: upload.egress ?? before?.egress ?? "public",
    preview: before?.preview ?? true,
    ...(share.length ? { share } : {}),
    ...(autoRollback ? { autoRollback } : {}),
    ...(gradual ? { gradual } : {}),
  };
}

/** @throws WrkstError ERR_INVALID for values that are nested too deep to be handed on */
function checkDepth(name: string, value: unknown, depth = 0): unknown {
  if (depth > UPLOAD_LIMITS.depth) {
    throw invalid(`expected the JSON value of "${name}" to have at most ${UPLOAD_LIMITS.depth} levels`);
  }
  if (typeof value === "object" && value !== null) {
    for (const part of Object.values(value)) checkDepth(name, part, depth + 1);
  }
  return value;
}

function within(received: number, limit: number, what: string): void {
  if (received <= limit) return;
  throw new WrkstError("ERR_TOO_LARGE", `expected at most ${limit} ${what}, received ${received}`);
}

function sum(numbers: number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

function byteLength(text: string): number {
  return Buffer.byteLength(text);
}
