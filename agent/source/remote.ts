// What a repository, a branch and a path may look like, and how a remote is reached. Pure: decides, never runs git.

import { isAbsolute, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { WrkstError } from "../errors.js";

export interface Remote {
  kind: "https" | "http" | "ssh" | "local";
  /** What git is given: never holds a credential. An absolute path for `local`. */
  url: string;
  /** User and password that stood in the URL, decoded. */
  username?: string;
  password?: string;
}

export interface Credentials {
  username?: string | undefined;
  token?: string | undefined;
  sshKeyFile?: string | undefined;
  knownHostsFile?: string | undefined;
}

const HOST = /^(?:[a-z0-9_](?:[a-z0-9._-]*[a-z0-9])?|\[[0-9a-f:.]+\])$/i;
const USER = /^[a-z0-9_][a-z0-9._+-]*$/i;
const UNSAFE = /[\u0000-\u0020\u007f-\u009f\\"'`<>|;$&*?(){}]/;

/**
 * Reads a repository's address: `https://`, `http://`, `ssh://`, `user@host:path`, and, when `local` allows it, a path or
 * `file://` of this machine.
 *
 * @throws ERR_GIT_REFUSED for everything else; the message never repeats credentials.
 */
export function parseRemote(raw: string, { local }: { local: boolean }): Remote {
  if (raw === "" || raw.startsWith("-") || /[\u0000-\u001f\u007f]/.test(raw) || raw.length > 2_000) {
    throw refused("the address of the repository is empty, too long, or holds characters that are not allowed");
  }
  if (/^[a-z0-9+.-]+::/i.test(raw))
    throw refused(`the transport "${raw.slice(0, raw.indexOf("::"))}::" is not allowed`);
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(raw)) return parseUrl(raw, local);
  const colon = raw.indexOf(":");
  const slash = raw.indexOf("/");
  if (!isAbsolute(raw) && colon > 0 && (slash < 0 || colon < slash)) return parseScp(raw, colon);
  return parseLocal(raw, local);
}

function parseUrl(raw: string, local: boolean): Remote {
  const url = URL.canParse(raw) ? new URL(raw) : undefined;
  const scheme = raw.slice(0, raw.indexOf(":")).toLowerCase();
  if (scheme === "file") return parseLocal(url ? fileURLToPath(url) : "", local);
  if (scheme !== "https" && scheme !== "http" && scheme !== "ssh") {
    throw refused(`expected "https", "ssh" or "http" as scheme of the repository, received "${scheme}"`);
  }
  if (
    !url ||
    !HOST.test(url.hostname) ||
    url.search ||
    url.hash ||
    UNSAFE.test(url.pathname) ||
    url.pathname.length < 2
  ) {
    throw refused("the URL of the repository is malformed");
  }
  const username = decodeURIComponent(url.username);
  const password = decodeURIComponent(url.password);
  if (scheme === "ssh") {
    if (password) throw refused("an ssh URL cannot hold a password");
    if (username && !USER.test(username)) throw refused("the user name of the ssh URL is malformed");
    return { kind: "ssh", url: `ssh://${username ? `${username}@` : ""}${url.host}${url.pathname}` };
  }
  return {
    kind: scheme,
    url: `${scheme}://${url.host}${url.pathname}`,
    ...(username && { username }),
    ...(password && { password }),
  };
}

function parseScp(raw: string, colon: number): Remote {
  const [host = "", user] = raw.slice(0, colon).split("@").reverse();
  const path = raw.slice(colon + 1);
  const wellFormed =
    HOST.test(host) && (user === undefined || USER.test(user)) && raw.slice(0, colon).split("@").length < 3;
  if (!wellFormed || path === "" || path.startsWith("-") || UNSAFE.test(path)) {
    throw refused('the ssh address of the repository is malformed: expected "user@host:path"');
  }
  return { kind: "ssh", url: raw };
}

/** The host as it stands in the address, with its port; `""` for a path of this machine. */
export function hostOf({ kind, url }: Remote): string {
  if (kind === "local") return "";
  return URL.canParse(url) ? new URL(url).host : url.slice(0, url.indexOf(":")).replace(/^.*@/, "");
}

function parseLocal(raw: string, local: boolean): Remote {
  if (!local)
    throw refused("a repository on this machine is only for the source of the environment (GIT_REPO)", ELSEWHERE);
  if (raw === "") throw refused("the file URL of the repository is malformed");
  return { kind: "local", url: resolve(raw) };
}

/** Checks a branch name by the rules of `git check-ref-format`. @throws ERR_GIT_REFUSED */
export function validateBranch(branch: string): string {
  const forbidden = /[\u0000-\u0020\u007f~^:?*[\\]|\.\.|@\{|\/\/|^[-/]|[/.]$|^@$|(?:^|\/)\.|\.lock(?:\/|$)/;
  if (branch === "" || branch.length > 200 || forbidden.test(branch)) {
    throw refused(`"${printable(branch)}" is not a branch name`);
  }
  return branch;
}

/** The root path of a source in its one form: no slash at either end, `""` for the root. @throws ERR_GIT_REFUSED */
export function validateRootPath(path: string): string {
  const parts = path.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.includes("..") || /[\u0000-\u001f\u007f\\]/.test(path)) {
    throw refused(`"${printable(path)}" is not a path inside a repository`);
  }
  return parts.join("/");
}

/** Without what a terminal or a log would act on; cut to a readable length. */
export function printable(text: string, limit = 300): string {
  const clean = text.replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, "\ufffd");
  return clean.length > limit ? `${clean.slice(0, limit)}…` : clean;
}

/** Settings and environment of the one git process that talks to the remote. Holds secrets in `environment` only. */
export interface Access {
  config: string[];
  environment: Record<string, string>;
  /** Strings that must never appear in a message. */
  secrets: string[];
}

const HELPER =
  '!f() { test "$1" = get && printf \'username=%s\\npassword=%s\\n\' "$WRKST_GIT_USERNAME" "$WRKST_GIT_PASSWORD"; }; f';

/** How the remote is reached with these credentials. @throws ERR_GIT_REFUSED when ssh lacks its key or known hosts. */
export function accessTo(remote: Remote, credentials: Credentials): Access {
  const protocol = remote.kind === "local" ? "file" : remote.kind;
  const environment: Record<string, string> = { GIT_ALLOW_PROTOCOL: protocol };
  if (remote.kind === "ssh") {
    return { config: [], environment: { ...environment, ...sshEnvironment(credentials) }, secrets: [] };
  }
  const token = credentials.token || remote.password;
  if (!token || remote.kind === "local") return { config: [], environment, secrets: [] };
  const username = credentials.username || remote.username || "git";
  // The helper answers for this very host only, so that a redirect elsewhere never receives the token.
  return {
    config: [`credential.${new URL(remote.url).origin}.helper=${HELPER}`],
    environment: { ...environment, WRKST_GIT_USERNAME: username, WRKST_GIT_PASSWORD: token },
    secrets: [token, Buffer.from(`${username}:${token}`).toString("base64"), encodeURIComponent(token)],
  };
}

function sshEnvironment({ sshKeyFile, knownHostsFile }: Credentials): Record<string, string> {
  if (!sshKeyFile) {
    throw new WrkstError("ERR_GIT_REFUSED", "the repository is reached by ssh, but no key was given", {
      hint: "set GIT_SSH_KEY_FILE to a private key without passphrase",
    });
  }
  if (!knownHostsFile) {
    throw new WrkstError(
      "ERR_GIT_REFUSED",
      "the repository is reached by ssh, but the keys of its host are not known",
      {
        hint: "put the output of `ssh-keyscan <host>` into a file, compare it with what the host publishes, and set GIT_KNOWN_HOSTS_FILE to it",
      },
    );
  }
  const options = [
    "BatchMode=yes",
    "StrictHostKeyChecking=yes",
    `UserKnownHostsFile=${sshFile(knownHostsFile)}`,
    "GlobalKnownHostsFile=/dev/null",
    "UpdateHostKeys=no",
    "IdentitiesOnly=yes",
    "IdentityAgent=none",
    "ForwardAgent=no",
    "ClearAllForwardings=yes",
    "PermitLocalCommand=no",
    "ConnectTimeout=15",
    "ServerAliveInterval=15",
    "ServerAliveCountMax=3",
  ];
  const words = ["ssh", "-F", "/dev/null", "-i", resolve(sshKeyFile), ...options.flatMap((option) => ["-o", option])];
  return { GIT_SSH_COMMAND: words.map(shellQuoted).join(" "), GIT_SSH_VARIANT: "ssh" };
}

/** A file name as ssh reads it inside an option: its own quotes, `%` doubled. */
function sshFile(path: string): string {
  return `"${resolve(path).replaceAll("%", "%%")}"`;
}

function shellQuoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

const ELSEWHERE =
  'give an address of https or ssh, or push it to a branch of the embedded repository and say "embedded"';

const CHECK = "check address, branch and path; those of the environment are GIT_REPO, GIT_BRANCH and GIT_PATH";

function refused(message: string, hint = CHECK): WrkstError {
  return new WrkstError("ERR_GIT_REFUSED", message, { hint });
}
