// `wrkst source add` and `edit`: how a repository is followed. Invariant: no credential is ever an argument.

import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { type Command, InvalidArgumentError, Option } from "commander";
import type { SourceCredentials, SourceDetail, SourceSettings } from "../../agent/model.js";
import { Failure } from "../failure.js";
import type { Io } from "../io.js";
import { readInput } from "../prompt.js";
import { type Common, openSession } from "../session.js";
import { viewSource } from "../source-views.js";
import { says, TEXT } from "../wording.js";
import { addAsking } from "./command.js";

interface SettingOptions extends Common {
  repo?: string;
  branch?: string;
  tags?: string;
  path?: string;
  interval?: number | "off";
  pruneLimit?: SourceSettings["prune"];
  atomic?: boolean;
  previews?: string[];
  previewSecrets?: boolean;
  signersFile?: string;
  keyringFile?: string;
  /** false: nobody need have signed. */
  verify?: false;
  username?: string;
  tokenStdin?: boolean;
  sshKeyFile?: string;
  knownHostsFile?: string;
  /** false: all go. */
  credentials?: false;
}

/** Below the command `source`. */
export function addSourceSettings(program: Command, io: Io): void {
  addOptions(
    addAsking(program, "source add").argument("<name>", TEXT.sourceName).argument("<address>", TEXT.repo),
  ).action(async (name: string, repo: string, options: SettingOptions) => {
    const { client, confirm, print, warn } = openSession(options, io);
    const { account } = options;
    const body = { name, ...(account === undefined ? {} : { account }), ...(await bodyOf({ ...options, repo }, io)) };
    const source = await client.ask<SourceDetail>("POST", "/api/v1/sources", { body, timeout: LOOK });
    if (options.json) print(source, "");
    else confirm(source, says.sourceAdded(source.name));
    if (source.error) warn(says.notFollowedYet(source.error));
  });
  addOptions(addAsking(program, "source edit").argument("<source>", TEXT.source))
    .option("--repo <address>", TEXT.repo)
    .addOption(new Option("--no-verify", TEXT.noVerify).conflicts(["signersFile", "keyringFile"]))
    .addOption(new Option("--no-credentials", TEXT.noCredentials))
    .action(async (name: string, options: SettingOptions) => {
      const { client, print } = openSession(options, io);
      const body = await bodyOf(options, io);
      const path = `/api/v1/sources/${encodeURIComponent(name)}`;
      const source = await client.ask<SourceDetail>("PATCH", path, { body, timeout: LOOK });
      print(source, viewSource(source, { colour: io.colour, now: io.now() }));
    });
}

/** Milliseconds: the repository is asked before the answer. */
const LOOK = 60_000;

function addOptions(command: Command): Command {
  return command
    .option("--branch <name>", TEXT.branch)
    .addOption(new Option("--tags <range>", TEXT.tags).conflicts("branch"))
    .option("--path <folder>", TEXT.path)
    .option("--interval <duration>", TEXT.interval, parseInterval)
    .option("--prune-limit <limit>", TEXT.pruneLimit, parseLimit)
    .option("--atomic", TEXT.atomic)
    .option("--no-atomic", TEXT.notAtomic)
    .option("--previews <globs>", TEXT.previews, (raw) => raw.split(",").filter(Boolean))
    .option("--preview-secrets", TEXT.previewSecrets)
    .option("--no-preview-secrets", TEXT.noPreviewSecrets)
    .option("--signers-file <path>", TEXT.signersFile)
    .option("--keyring-file <path>", TEXT.keyringFile)
    .option("--username <name>", TEXT.username)
    .option("--token-stdin", TEXT.tokenStdin)
    .option("--ssh-key-file <path>", TEXT.sshKeyFile)
    .option("--known-hosts-file <path>", TEXT.knownHostsFile);
}

/** What was named, and nothing else. */
async function bodyOf(
  options: SettingOptions,
  io: Io,
): Promise<Partial<SourceSettings> & { credentials: SourceCredentials }> {
  const { repo, branch, tags, path, interval, pruneLimit: prune, atomic, previews, previewSecrets } = options;
  const every = interval === "off" ? null : interval;
  const follow = tags !== undefined ? { tags } : branch === undefined ? undefined : { branch };
  const told = {
    repo,
    follow,
    path,
    interval: every,
    prune,
    atomic,
    previews,
    previewSecrets,
    verify: await verifyOf(options, io),
  };
  const named = Object.entries(told).filter(([, value]) => value !== undefined);
  return { ...(Object.fromEntries(named) as Partial<SourceSettings>), credentials: await credentialsOf(options, io) };
}

async function verifyOf(
  { verify, signersFile, keyringFile, tags }: SettingOptions,
  io: Io,
): Promise<SourceSettings["verify"] | undefined> {
  if (verify === false) return null;
  if (signersFile === undefined && keyringFile === undefined) return undefined;
  return {
    what: tags === undefined ? "commit" : "tag",
    ...(signersFile === undefined ? {} : { signers: await readText(signersFile, io) }),
    ...(keyringFile === undefined ? {} : { keyring: await readText(keyringFile, io) }),
  };
}

async function credentialsOf(options: SettingOptions, io: Io): Promise<SourceCredentials> {
  const { username, tokenStdin, sshKeyFile, knownHostsFile } = options;
  const none = { username: null, token: null, sshKey: null, knownHosts: null };
  return {
    ...(options.credentials === false ? none : {}),
    ...(username === undefined ? {} : { username }),
    ...(tokenStdin ? { token: await readToken(io) } : {}),
    ...(sshKeyFile === undefined ? {} : { sshKey: await readText(sshKeyFile, io) }),
    ...(knownHostsFile === undefined ? {} : { knownHosts: await readText(knownHostsFile, io) }),
  };
}

async function readToken(io: Io): Promise<string> {
  const token = (await readInput(io)).trim();
  if (token) return token;
  throw new Failure(TEXT.emptySecret, TEXT.pipeToken);
}

async function readText(file: string, io: Io): Promise<string> {
  const path = resolve(io.folder, file);
  return readFile(path, "utf8").catch((error: NodeJS.ErrnoException) => {
    throw new Failure(says.unreadable(path, error.code ?? ""));
  });
}

const UNITS: Record<string, number> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

function parseInterval(raw: string): number | "off" {
  if (raw === "off") return raw;
  const [, count, unit = ""] = /^(\d{1,6})([smhd])$/.exec(raw) ?? [];
  if (count !== undefined) return Number(count) * (UNITS[unit] ?? 0);
  throw new InvalidArgumentError(says.badInterval(raw));
}

/** As GIT_PRUNE_LIMIT: a share holds beyond three functions. */
function parseLimit(raw: string): SourceSettings["prune"] {
  if (raw === "never") return raw;
  const [, number, percent] = /^(\d{1,6})(%?)$/.exec(raw) ?? [];
  if (number === undefined) throw new InvalidArgumentError(says.badPruneLimit(raw));
  return percent ? { percent: Number(number), count: 3 } : { percent: 0, count: Number(number) };
}
