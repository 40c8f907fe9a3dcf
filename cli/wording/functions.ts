// What is said of functions, versions, holds and secrets. Pure.

import type { Hold, Suspension } from "../../agent/model.js";
import { count, printable, size } from "./printing.js";

export const saysOfFunctions = {
  making: (name: string, ref: string) => `building "${name}" at ${ref}`,
  made: (commit: string, milliseconds: number) =>
    `built ${commit.slice(0, 12)} in ${(milliseconds / 1000).toFixed(1)} s`,
  noPreviews: (name: string | undefined) =>
    name === undefined ? "no branch or commit has a preview" : `no branch or commit of "${name}" has a preview`,
  previewRemoved: (name: string, commit: string) => `removed the preview of "${name}" at ${commit}`,
  noFolder: (folder: string) => `there is no folder "${folder}"`,
  noProject: (folder: string) => `no wrangler file in "${folder}" or above it: expected wrangler.toml, .json or .jsonc`,
  noFunctionNamed: (folder: string) => `no function is named, and there is no wrangler file in "${folder}" or above it`,
  nameFunction: (command: string) => `name the function: wrkst ${command} <function>; or go to its folder`,
  /** Where no function is known; the word, if there is one, was taken for a version. */
  nameBeside: (command: string, word: string | undefined) =>
    word === undefined
      ? `name the function: wrkst ${command} --name <function>; or go to its folder`
      : `name the function: wrkst ${command} ${word} --name <function>, where "${word}" is the version; or is it the function? wrkst ${command} --name ${word}`,
  /** Where the function is known and has no such version. */
  isVersion: (command: string, word: string, name: string) =>
    `the argument is a version, see: wrkst versions list --name ${name}; or is "${word}" a function? wrkst ${command} --name ${word}`,
  fileThere: (file: string) => `"${file}" is already there`,
  written: (file: string) => `wrote ${file}`,
  nextOfRepository: (folder: string, url: string) =>
    `\nnext:\n  ${folder === "." ? "" : `cd ${folder} && `}git init -b main && git add . && git commit -m "Begin"\n` +
    `  git remote add wrkst ${url}/git/functions.git\n  git push wrkst main      # user admin, a token as password\n` +
    `\na server that has its examples still takes that push with --force, which replaces them; one that has functions\n` +
    `already refuses it: clone its repository and go on there:\n  git clone ${url}/git/functions.git\n`,
  nextOfFunction: (folder: string) => `\nnext:\n  wrkst deploy ${folder}      # or commit it and push\n`,
  bundled: (name: string, modules: number, bytes: number) =>
    `bundled ${name}: ${count(modules, "module")}, ${size(bytes)}`,
  uploaded: (version: string, startup: number | undefined) =>
    `checked ${version.slice(0, 8)}${startup === undefined ? "" : `: starts in ${startup} ms`}`,
  deployed: (made: {
    name: string;
    version: string | null;
    size: number;
    startup: number | null;
    url: string | null;
  }) =>
    [
      ["function", made.name],
      ["version", made.version],
      ["size", size(made.size)],
      ["start-up", made.startup === null ? null : `${made.startup} ms`],
      ["url", made.url],
    ]
      .filter(([, value]) => value !== null)
      .map(([name, value]) => `${String(name).padEnd(8)}  ${printable(String(value))}\n`)
      .join(""),
  neverDeployed: (name: string) => `function "${name}" was never deployed`,
  rolledBack: (name: string, from: string | null, to: string | null) =>
    `${printable(name)}: ${from?.slice(0, 8) ?? "-"} → ${to?.slice(0, 8) ?? "-"}\n`,
  promoted: (name: string, version: string | null) =>
    `${printable(name)}: ${version?.slice(0, 8) ?? "-"} has all the traffic\n`,
  aliasSet: (name: string, alias: string, version: string, url: string | undefined) =>
    `${printable(name)}: ${alias} → ${version.slice(0, 8)}${url === undefined ? "" : `  ${printable(url)}`}\n`,
  aliasDeleted: (name: string, alias: string) => `deleted the alias "${alias}" of "${name}"`,
  pinned: (name: string, { alias, version, expiresAt }: Pick<Hold, "alias" | "version" | "expiresAt">) => {
    const until = expiresAt === undefined ? "" : ` until ${new Date(expiresAt).toISOString()}`;
    const release = `wrkst unpin ${name}${alias === "latest" ? "" : ` --alias ${alias}`}`;
    return printable(`${name}: ${alias} is held at ${version.slice(0, 8)}${until}; release it with: ${release}`);
  },
  unpinned: (name: string, alias: string) => `released "${alias}" of "${name}"`,
  suspended: (name: string, { offline, expiresAt }: { offline?: boolean; expiresAt?: number }) => {
    const what = offline ? "is suspended and refuses requests" : "is suspended, what serves goes on serving";
    const until = expiresAt === undefined ? "" : `, until ${new Date(expiresAt).toISOString()}`;
    return `${printable(name)} ${what}${until}`;
  },
  suspendedBy: ({ author, reason, offline, expiresAt }: Suspension) => {
    const until = expiresAt === undefined ? "" : `, until ${new Date(expiresAt).toISOString()}`;
    const why = reason === undefined ? "" : `: ${reason}`;
    return `${offline ? "refuses requests, suspended" : "suspended"} by ${author}${until}${why}`;
  },
  pinnedIn: ({ alias, ref, position }: { alias: string; ref: string; position: { file: string; line?: number } }) =>
    `${alias} pinned at ${ref}, in ${position.file}${position.line === undefined ? "" : `:${position.line}`}`,
  heldBack: ({ kind, author, reason }: { kind: string; author: string; reason?: string }) =>
    `held by a ${kind} of ${author}${reason === undefined ? "" : `: ${reason}`}`,
  askSecret: (key: string, name: string) => `value of ${key} for "${name}" (not shown): `,
  noSecrets: (name: string) => `"${name}" has no secrets; set one with: wrkst secret put KEY --name ${name}`,
  noLogs: (name: string) => `nothing of "${name}" is kept; exceptions are, and console.* while it is observed`,
  secretSet: (name: string, keys: string[]) => `set ${keys.join(", ")} of "${name}"`,
  secretsChanged: (name: string, set: string[], deleted: string[]) => {
    const parts = [set.length ? `set ${set.join(", ")}` : "", deleted.length ? `deleted ${deleted.join(", ")}` : ""];
    return `${parts.filter(Boolean).join(", ")} of "${name}"`;
  },
  secretDeleted: (name: string, key: string) => `deleted ${key} of "${name}"`,
  confirmDelete: (name: string) => `delete the function "${name}"?`,
  deleted: (name: string) => `deleted "${name}"; for a while "wrkst restore ${name}" brings it back`,
  nowServes: ({ name, state, version, url }: { name: string; state: string; version: string | null; url: string }) =>
    `${printable(name)}: ${state}${version === null ? "" : `, ${version.slice(0, 8)}`}  ${printable(url)}\n`,
};
