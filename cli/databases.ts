// Which database a command means: by name, by id, or by a binding of the wrangler file where the person stands.

import type { D1Binding } from "../agent/model.js";
import type { Database } from "./answers.js";
import type { Ask, Method } from "./client.js";
import type { Io } from "./io.js";
import type { Project } from "./project.js";
import { type Common, openSession, orMissing, type Session } from "./session.js";

export interface OfDatabase extends Common {
  env?: string;
}

export interface DatabaseSession extends Session {
  /** As the server knows it: its name or id. */
  reference: string;
  /** A route of the database: `ask("POST", "/query", …)`. */
  ask<T>(method: Method, rest?: string, options?: Ask): Promise<T>;
  /** A path of the database, with the account that is meant. */
  path(rest?: string, query?: Record<string, string>): Promise<string>;
}

/** Path of our routes of databases, with the account that is meant. */
export async function databasesPath(session: Session, rest: string, query: Record<string, string> = {}) {
  return `/api/v1/databases${rest}?${new URLSearchParams({ ...query, account: await session.account() })}`;
}

export async function openDatabase(wanted: string, options: OfDatabase, io: Io): Promise<DatabaseSession> {
  const session = openSession(options, io);
  const reference = await referenceOf(wanted, options, session);
  const path = (rest = "", query: Record<string, string> = {}) =>
    databasesPath(session, `/${encodeURIComponent(reference)}${rest}`, query);
  return {
    ...session,
    reference,
    path,
    ask: async (method, rest, ask) => session.client.ask(method, await path(rest), ask),
  };
}

/** A binding is looked for as a push does: by id, then by name, which every binding has. */
async function referenceOf(wanted: string, { env }: OfDatabase, session: Session): Promise<string> {
  const project = await projectHere(session.io, env);
  const declared = project && findDeclared(project, wanted);
  if (!declared || declared.databaseName === wanted) return wanted;
  const name = nameOf(project, declared);
  if (declared.databaseId === undefined) return name;
  const byId = await databasesPath(session, `/${encodeURIComponent(declared.databaseId)}`);
  const found = await orMissing(session.client.ask<Database>("GET", byId));
  return found ? found.id : name;
}

/** A wrangler file that is missing or broken declares nothing: the name may still be known to the server. */
async function projectHere({ folder }: Io, env: string | undefined): Promise<Project | undefined> {
  const { findFunctionFolder, readProject } = await import("./project.js");
  if (findFunctionFolder(folder) === undefined) return undefined;
  return readProject(folder, env).catch(() => undefined);
}

/** The entry of that binding or name; `D1` is there always. */
export function findDeclared({ manifest }: Project, wanted: string): D1Binding | undefined {
  const found = manifest.d1Databases.find(({ binding, databaseName }) => wanted === binding || wanted === databaseName);
  return found ?? (wanted === "D1" ? { binding: "D1" } : undefined);
}

const nameOf = ({ manifest }: Project, { binding, databaseName }: D1Binding) =>
  databaseName ?? `${manifest.name}-${binding.toLowerCase()}`;
