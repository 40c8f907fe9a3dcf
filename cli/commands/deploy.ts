// `wrkst deploy` and `wrkst versions upload`: a folder becomes a version, and what serves.

import { resolve } from "node:path";
import { type Command, InvalidArgumentError } from "commander";
import type { Version } from "../answers.js";
import type { Io } from "../io.js";
import type { Project } from "../project.js";
import { type Common, functionPath, openSession, orMissing, type Session } from "../session.js";
import { describeError, printable, says, TEXT } from "../wording.js";
import { addAsking, type CommandPath } from "./command.js";

interface DeployOptions extends Common {
  name?: string;
  env?: string;
  message?: string;
  tag?: string;
  alias?: string;
  var?: Record<string, string>;
  dryRun?: boolean;
  force?: boolean;
}

/** What `--json` prints. */
interface Deployed {
  function: string;
  version: string | null;
  /** Bytes. */
  size: number;
  modules: string[];
  /** Milliseconds of the check. */
  startup: number | null;
  url: string | null;
}

export function addDeploy(program: Command, io: Io): void {
  withOptions(program, "deploy")
    .option("--force", TEXT.forceDeploy)
    .action((folder: string, options: DeployOptions) => deploy(resolve(io.folder, folder), options, io));
}

export function addUpload(program: Command, io: Io): void {
  withOptions(program, "versions upload").action((folder: string, options: DeployOptions) =>
    upload(resolve(io.folder, folder), options, io),
  );
}

function withOptions(program: Command, path: CommandPath): Command {
  return addAsking(program, path)
    .argument("[folder]", TEXT.folder, ".")
    .option("--name <function>", TEXT.nameDeploy)
    .option("--env <name>", TEXT.env)
    .option("--message <text>", TEXT.message)
    .option("--tag <text>", TEXT.tag)
    .option("--alias <name>", path === "deploy" ? TEXT.aliasDeploy : TEXT.aliasUpload, parseAlias)
    .option("--var <name:value>", TEXT.var, collectVar)
    .option("--dry-run", TEXT.dryRun);
}

function parseAlias(raw: string): string {
  if (raw !== "latest") return raw;
  throw new InvalidArgumentError('expected another name than "latest", which is what "wrkst deploy" moves without it.');
}

function collectVar(raw: string, sofar: Record<string, string> = {}): Record<string, string> {
  const [, name, value] = /^([A-Za-z_]\w*):(.*)$/s.exec(raw) ?? [];
  if (name === undefined || value === undefined) throw new InvalidArgumentError("expected NAME:value.");
  return { ...sofar, [name]: value };
}

async function deploy(folder: string, options: DeployOptions, io: Io): Promise<void> {
  const session = openSession(options, io);
  const made = await makeVersion(folder, options, { session, isDeployed: options.alias === undefined });
  // An alias is set with the upload, and `latest` stays.
  if (!made.version || options.alias !== undefined)
    return show({ ...made, url: await urlOf(made, options, session) }, session);
  const { name } = made;
  const versions = [{ version_id: made.version.id, percentage: 100 }];
  const annotations = options.message === undefined ? {} : { "workers/message": options.message };
  const body = { strategy: "percentage", versions, annotations };
  await session.script("POST", name, `deployments${options.force ? "?force=true" : ""}`, { body });
  await applyAddresses(session, name, made.project);
  const [host] = made.project.manifest.workersDev ? [] : made.project.manifest.hosts;
  show({ ...made, url: host ? originOf(host, session) : await addressOf(session, name) }, session);
}

async function upload(folder: string, options: DeployOptions, io: Io): Promise<void> {
  const session = openSession(options, io);
  const made = await makeVersion(folder, options, { session });
  show({ ...made, url: await urlOf(made, options, session) }, session);
}

/** Where a version that does not serve can be tried. */
async function urlOf({ name, version, project }: Made, { alias }: DeployOptions, session: Session) {
  if (!version || alias === undefined) return (project.manifest.previewUrls && version?.url) || null;
  const address = await addressOf(session, name);
  return address === null ? null : address.replace(`://${name}.`, `://${alias}--${name}.`);
}

interface Made {
  name: string;
  project: Project;
  size: number;
  modules: string[];
  version?: Version;
  url?: string | null;
}

/** Bundles and uploads; with `--dry-run` only bundles. */
async function makeVersion(
  folder: string,
  options: DeployOptions,
  { session, isDeployed = false }: { session: Session; isDeployed?: boolean },
): Promise<Made> {
  const { readProject } = await import("../project.js");
  const read = await readProject(folder, options.env);
  const manifest = { ...read.manifest, vars: { ...read.manifest.vars, ...options.var } };
  const project = { ...read, manifest };
  const name = options.name ?? manifest.name;
  const { bundleProject, formOf, sizeOf } = await import("../upload.js");
  const bundle = await bundleProject(project);
  for (const warning of [...project.warnings, ...bundle.warnings]) session.warn(printable(describeError(warning)));
  const made = { name, project, size: sizeOf(bundle), modules: bundle.modules.map((module) => module.name) };
  session.say(says.bundled(name, made.modules.length, made.size));
  if (options.dryRun) return made;
  const form = formOf(bundle, manifest, options);
  // What is deployed right after works on the databases themselves, and needs no copies of them.
  const path = isDeployed ? "versions?previews=false" : "versions";
  const version = await session.script<Version>("POST", name, path, { body: form, timeout: UPLOAD_PATIENCE });
  session.say(says.uploaded(version.id, version.startup_time_ms));
  for (const { id, name } of version.created_databases ?? []) session.say(printable(says.createdDatabase(name, id)));
  for (const warning of version.warnings ?? []) session.warn(printable(warning));
  return { ...made, version };
}

/** A large bundle over a slow line. */
const UPLOAD_PATIENCE = 5 * 60_000;

/** What the wrangler file says of hosts belongs to the function, not to the version. */
async function applyAddresses(session: Session, name: string, { manifest }: Project): Promise<void> {
  const wanted = { enabled: manifest.workersDev, previews_enabled: manifest.previewUrls };
  const there = await session.script<typeof wanted>("GET", name, "subdomain");
  if (there.enabled !== wanted.enabled || there.previews_enabled !== wanted.previews_enabled) {
    await session.script("POST", name, "subdomain", { body: wanted });
  }
  if (manifest.hosts.length === 0) return;
  const routes = manifest.hosts.map((host) => ({ pattern: `${host}/*` }));
  await session.script("PUT", name, "routes", { body: routes });
}

async function addressOf({ client }: Session, name: string): Promise<string | null> {
  return (await orMissing(client.ask<{ url: string }>("GET", functionPath(name))))?.url ?? null;
}

/** A host of the function's own is reached as the server is. */
function originOf(host: string, { client }: Session): string {
  return Object.assign(new URL(client.url), { hostname: host }).origin;
}

function show({ name, size, modules, version, url }: Made, session: Session): void {
  const startup = version?.startup_time_ms ?? null;
  const answer: Deployed = { function: name, version: version?.id ?? null, size, modules, startup, url: url ?? null };
  session.print(answer, says.deployed({ ...answer, name }));
}
