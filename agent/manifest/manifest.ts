// A wrangler file as a manifest, read as wrangler reads it. Pure.

import { posix } from "node:path";
import { type Position, WrkstError } from "../errors.js";
import { type DeclaredPin, isFunctionName, type Manifest, type Warning } from "../model.js";
import { positionsOfD1, readD1Databases } from "./bindings/d1.js";
import { createNames } from "./bindings/names.js";
import { refuseUnsupported } from "./bindings/unsupported.js";
import { positionsOfVars, readVars } from "./bindings/vars.js";
import { type Document, parseDocument } from "./document.js";
import { refuseUnknownMembers, warnOfKeys } from "./keys.js";
import { readName } from "./name.js";
import { readPins } from "./pins.js";
import { readHosts } from "./routes.js";
import { readRules } from "./rules.js";
import {
  booleanOf,
  createSettings,
  fail,
  fileName,
  formatPath,
  inherited,
  memberOf,
  notInherited,
  type Setting,
  type Settings,
  show,
  stringOf,
  stringsOf,
  tableOf,
  topLevel,
  warn,
} from "./settings.js";
import { readTrials } from "./trials.js";

export interface RawManifest {
  /** Text of the file. TOML when `file` ends in `.toml`, otherwise JSON with comments and trailing commas. */
  text: string;
  /** Path shown in errors. */
  file: string;
  /** Name of the `[env.<name>]` to apply. */
  environment?: string | undefined;
}

/** What the reader of declarations needs beside the manifest. */
export interface ManifestReading {
  manifest: Manifest;
  /** No part of what a version is. */
  pins: DeclaredPin[];
  warnings: Warning[];
  /** Where the values stand that are compared with other files. */
  positions: { main: Position; baseDir: Position; tsconfig: Position; bindings: Record<string, Position> };
}

/**
 * The manifest that a wrangler file declares. Inheritance is wrangler's: `vars`, `define` and bindings of an environment
 * stand alone, other keys fall back to the top level, and the name gets `-<environment>` at its end unless the environment
 * names itself. An environment that the file does not declare is an error if the file declares others, otherwise the top
 * level applies with a warning. Keys of `[wrkst]` are inherited one by one.
 *
 * Pure. Throws ERR_MANIFEST or ERR_BINDING_UNSUPPORTED, with the position of the key.
 */
export function parseManifest(raw: RawManifest): { manifest: Manifest; warnings: Warning[] } {
  const { manifest, warnings } = readManifest(parseDocument(raw), raw.environment);
  return { manifest, warnings };
}

export function readManifest(document: Document, environment: string | undefined): ManifestReading {
  const settings = createSettings(document, environment);
  refuseOtherProjects(settings);
  const name = readName(settings);
  const main = readMain(settings, name);
  refuseUnsupported(settings, name);
  const manifest: Manifest = {
    name,
    main,
    ...readBuild(settings, main),
    compatibilityDate: readCompatibilityDate(settings),
    compatibilityFlags: stringsOf(settings, inherited(settings, "compatibility_flags")),
    ...readBindings(settings),
    ...readAddresses(settings),
    observability: readObservability(settings),
    ...readWrkst(settings),
  };
  warnOfKeys(settings);
  const position = (key: string) => document.positionOf(inherited(settings, key)?.path ?? []);
  return {
    manifest,
    pins: readPins(settings, wrkstMember(settings, "pin")),
    warnings: settings.warnings,
    positions: {
      main: position("main"),
      baseDir: position("base_dir"),
      tsconfig: position("tsconfig"),
      bindings: { ...positionsOfVars(settings), ...positionsOfD1(settings) },
    },
  };
}

/** Files that wrangler reads as something else than a function of today. */
function refuseOtherProjects(settings: Settings): void {
  if (topLevel(settings, "pages_build_output_dir")) {
    fail(settings, ["pages_build_output_dir"], "expected a function, received a Pages project", {
      hint: 'remove "pages_build_output_dir", or leave the folder out of the functions repository',
    });
  }
  if (topLevel(settings, "legacy_env")?.value === false) {
    fail(settings, ["legacy_env"], "service environments are not supported", { hint: 'remove "legacy_env"' });
  }
  const nodeCompat = inherited(settings, "node_compat");
  if (nodeCompat) {
    fail(settings, nodeCompat.path, '"node_compat" is no longer supported by wrangler', {
      hint: 'use compatibility_flags = ["nodejs_compat"]',
    });
  }
  const command = memberOf(inherited(settings, "build"), "command");
  if (command && command.value !== "") {
    fail(settings, command.path, "nothing of a repository is executed: build.command is refused", {
      hint: "commit what the command makes, or let the bundler do it (TypeScript, JSX and npm dependencies need no command)",
    });
  }
}

function readMain(settings: Settings, name: string): string {
  const setting = inherited(settings, "main");
  const main = readPath(settings, setting);
  if (main === undefined) {
    throw new WrkstError(
      "ERR_MANIFEST",
      `function "${name}" has no entry file: expected "main" in ${fileName(settings.document)}`,
      { hint: 'add main = "src/index.ts"', position: settings.document.positionOf([]) },
    );
  }
  if (main.endsWith(".py")) {
    fail(settings, setting!.path, `expected "main" to be JavaScript or TypeScript, received "${main}"`);
  }
  return main;
}

/** A path relative to the wrangler file, without `./`; it may lead out of the folder, the reader bounds it. */
function readPath(settings: Settings, setting: Setting | undefined): string | undefined {
  const path = stringOf(settings, setting);
  if (path === undefined) return undefined;
  if (path === "" || path.includes("\0") || posix.isAbsolute(path)) {
    fail(
      settings,
      setting!.path,
      `expected "${formatPath(setting!.path)}" to be a relative path, received ${show(path)}`,
    );
  }
  return posix.normalize(path);
}

function readBuild(settings: Settings, main: string) {
  const flag = (key: string) => booleanOf(settings, inherited(settings, key));
  const text = (key: string) => stringOf(settings, inherited(settings, key));
  const noBundle = flag("no_bundle") ?? false;
  const minify = flag("minify") ?? false;
  if (noBundle && minify)
    warn(settings, inherited(settings, "minify")!.path, '"minify" has no effect with "no_bundle"');
  const tsconfig = readPath(settings, inherited(settings, "tsconfig"));
  const jsxFactory = text("jsx_factory");
  const jsxFragment = text("jsx_fragment");
  return {
    baseDir: readPath(settings, inherited(settings, "base_dir")) ?? posix.dirname(main),
    rules: readRules(settings),
    alias: stringTable(settings, topLevel(settings, "alias")),
    define: stringTable(settings, notInherited(settings, "define")),
    noBundle,
    // Without bundling, wrangler always looks for the modules that the entry file may import.
    findAdditionalModules: noBundle || (flag("find_additional_modules") ?? false),
    minify: minify && !noBundle,
    keepNames: flag("keep_names") ?? true,
    preserveFileNames: flag("preserve_file_names") ?? false,
    ...(tsconfig === undefined ? {} : { tsconfig }),
    ...(jsxFactory === undefined ? {} : { jsxFactory }),
    ...(jsxFragment === undefined ? {} : { jsxFragment }),
  };
}

function stringTable(settings: Settings, setting: Setting | undefined): Record<string, string> {
  const table = tableOf(settings, setting);
  for (const key of Object.keys(table)) stringOf(settings, memberOf(setting, key));
  return table as Record<string, string>;
}

function readCompatibilityDate(settings: Settings): string {
  const setting = inherited(settings, "compatibility_date");
  const date = stringOf(settings, setting);
  const hint = 'a date such as compatibility_date = "2026-11-01" fixes how the runtime behaves for this function';
  if (date === undefined)
    fail(settings, [], `expected "compatibility_date" in ${fileName(settings.document)}`, { hint });
  if (!isDate(date)) {
    fail(settings, setting!.path, `expected "compatibility_date" to be a date YYYY-MM-DD, received ${show(date)}`, {
      hint,
    });
  }
  return date;
}

function isDate(text: string): boolean {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return false;
  const date = new Date(`${text}T00:00:00Z`);
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(text);
}

function readBindings(settings: Settings) {
  const names = createNames(settings);
  const vars = readVars(settings, names);
  return { vars, d1Databases: readD1Databases(settings, names) };
}

/** A function with hosts of its own is not on the base domain unless the file says so; previews follow. As wrangler has it. */
function readAddresses(settings: Settings) {
  const hosts = readHosts(settings);
  const workersDev = booleanOf(settings, inherited(settings, "workers_dev")) ?? hosts.length === 0;
  const previewUrls = booleanOf(settings, inherited(settings, "preview_urls")) ?? hosts.length === 0;
  return { hosts, workersDev, previewUrls };
}

/** The switch of logs is closer to the matter than the switch above it. */
function readObservability(settings: Settings): boolean {
  const setting = inherited(settings, "observability");
  tableOf(settings, setting);
  const logs = booleanOf(settings, memberOf(memberOf(setting, "logs"), "enabled"));
  return logs ?? booleanOf(settings, memberOf(setting, "enabled")) ?? false;
}

const WRKST_KEYS = ["health", "egress", "preview", "share", "pin", "auto_rollback", "gradual"];

function readWrkst(settings: Settings) {
  for (const setting of [topLevel(settings, "wrkst"), inherited(settings, "wrkst")]) {
    tableOf(settings, setting);
    if (setting) refuseUnknownMembers(settings, setting, WRKST_KEYS);
  }
  const member = (key: string) => wrkstMember(settings, key);
  const health = member("health");
  const egress = member("egress");
  const share = readShare(settings, member("share"));
  return {
    ...(health ? { health: readHealth(settings, health) } : {}),
    egress: egress ? readEgress(settings, egress) : ("public" as const),
    preview: booleanOf(settings, member("preview")) ?? true,
    ...(share.length ? { share } : {}),
    ...readTrials(settings, member),
  };
}

/** Keys of `[wrkst]` are inherited one by one. */
function wrkstMember(settings: Settings, key: string): Setting | undefined {
  return memberOf(inherited(settings, "wrkst"), key) ?? memberOf(topLevel(settings, "wrkst"), key);
}

/** Functions that may use the databases of this one: names, or all of the account. */
function readShare(settings: Settings, setting: Setting | undefined): string[] {
  const names = stringsOf(settings, setting);
  for (const [index, name] of names.entries()) {
    if (name === "*" || isFunctionName(name)) continue;
    const path = [...setting!.path, index];
    fail(settings, path, `expected "${formatPath(path)}" to be the name of a function, received ${show(name)}`, {
      hint: 'write share = ["*"] for all functions of the account',
    });
  }
  return [...new Set(names)].sort();
}

function readHealth(settings: Settings, setting: Setting): string {
  const health = stringOf(settings, setting)!;
  if (/^\/(?!\/)[^\s#\\\x00-\x1f]*$/.test(health)) return health;
  return fail(
    settings,
    setting.path,
    `expected "wrkst.health" to be a path such as "/healthz", received ${show(health)}`,
  );
}

function readEgress(settings: Settings, setting: Setting): "none" | "public" {
  if (setting.value === "none" || setting.value === "public") return setting.value;
  const message = `expected "wrkst.egress" to be "none" or "public", received ${show(setting.value)}`;
  return fail(settings, setting.path, message, {
    hint: "private networks are opened by the operator, with EGRESS_ALLOW and EGRESS_PRIVATE",
  });
}
