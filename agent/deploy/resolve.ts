// Finds the one version that a text means: an id or its beginning, a commit, an alias or a tag. Pure.
import { WrkstError } from "../errors.js";
import type { Version } from "../model.js";

export interface Known {
  /** Of the function. */
  name: string;
  /** Newest first. */
  versions: Version[];
  /** Alias → version id, `latest` included. */
  aliases: Record<string, string>;
  /** The version that the function had at a commit, by prefix; undefined where none or several fit. */
  versionAtCommit(prefix: string): string | undefined;
}

const ID_PREFIX = /^[0-9a-f]{8}[0-9a-f-]*$/i;
const COMMIT_PREFIX = /^[0-9a-f]{7,40}$/i;

/** Alias, then id, then commit, then tag. @throws WrkstError ERR_VERSION_NOT_FOUND, also where several fit */
export function resolveVersion(text: string, { name, versions, aliases, versionAtCommit }: Known): Version {
  const notFound = (why: string) => notFoundOf(name, text, why);
  const byId = (id: string | undefined) => versions.find((version) => version.id === id);
  const aliased = Object.hasOwn(aliases, text) ? byId(aliases[text]) : undefined;
  if (aliased) return aliased;
  const digits = text.toLowerCase();
  const begun = ID_PREFIX.test(digits) ? versions.filter(({ id }) => hasPrefix(id, digits)) : [];
  if (begun.length > 1) throw notFound("several versions begin like that");
  const found = begun[0] ?? (COMMIT_PREFIX.test(digits) ? byId(versionAtCommit(digits)) : undefined);
  if (found) return found;
  const tagged = versions.filter(({ upload }) => upload?.tag !== undefined && upload.tag === text);
  if (tagged.length > 1) throw notFound("several versions have that tag");
  if (!tagged[0]) throw notFound("none has that id, commit, alias or tag");
  return tagged[0];
}

/** The digits of a UUID may be written with its hyphens or without. */
function hasPrefix(id: string, prefix: string): boolean {
  return id.startsWith(prefix) || id.replaceAll("-", "").startsWith(prefix);
}

function notFoundOf(name: string, text: string, why: string): WrkstError {
  return new WrkstError(
    "ERR_VERSION_NOT_FOUND",
    `"${name}" has no version ${JSON.stringify(text.slice(0, 100))}: ${why}`,
    {
      hint: `see: wrkst versions list --name ${name}`,
    },
  );
}
