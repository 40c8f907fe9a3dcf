// What each forge wants to be asked to show a status beside a commit: addresses, headers and bodies as they document them. Pure.

import { createHash } from "node:crypto";
import { WrkstError } from "../errors.js";
import type { CommitState, CommitStatus, CommitStatusRequest, CommitStatusSettings, Forge } from "../model.js";
import type { Answer, Letter } from "./post.js";

/** Everything a request says. */
export interface Statement extends CommitStatus {
  settings: CommitStatusSettings;
  token: string;
  /** 40 hex. */
  commit: string;
}

/** Hosts that say themselves which forge they are, and where their interface is. */
const KNOWN: Record<string, { provider: Forge; api: string }> = {
  "github.com": { provider: "github", api: "https://api.github.com" },
  "gitlab.com": { provider: "gitlab", api: "https://gitlab.com/api/v4" },
  "bitbucket.org": { provider: "bitbucket", api: "https://api.bitbucket.org/2.0" },
  "codeberg.org": { provider: "forgejo", api: "https://codeberg.org/api/v1" },
  "gitea.com": { provider: "gitea", api: "https://gitea.com/api/v1" },
};

/** Below the origin of an own host. */
const BASES: Record<Forge, string> = {
  github: "/api/v3",
  gitlab: "/api/v4",
  gitea: "/api/v1",
  forgejo: "/api/v1",
  bitbucket: "/rest",
};

const LONGEST_CONTEXT = 100;

/**
 * The settings in their one form, with what the address of the repository says filled in.
 * @throws WrkstError ERR_INVALID where something is neither said nor to be derived
 */
export function resolveSettings(
  asked: Omit<CommitStatusRequest, "token">,
  source: { name: string; repo: string },
): CommitStatusSettings {
  const place = placeOf(source.repo);
  const known = place && KNOWN[place.host];
  const provider = asked.provider ?? known?.provider;
  if (!provider) throw unclear("provider", "github, gitlab, gitea, forgejo or bitbucket");
  const derived = known?.provider === provider ? known.api : place && `${place.origin}${BASES[provider]}`;
  const api = asked.api ?? derived;
  if (!api) throw unclear("api", "the address of the forge's interface");
  const repository = asked.repository ?? (place && repositoryOf(provider, place.path));
  if (!repository) throw unclear("repository", '"owner/name"');
  const { username } = asked;
  return {
    ...{ provider, api: checkApi(api), repository: checkRepository(provider, repository) },
    context: checkContext(asked.context ?? `wrkst/${source.name}`),
    ...(username === undefined ? {} : { username }),
  };
}

/** The request that sets the status. */
export function letterOf(statement: Statement): Letter {
  const { headers, ...request } = REQUESTS[statement.settings.provider](statement);
  return {
    url: `${statement.settings.api}${request.path}`,
    headers: { accept: "application/json", ...headers, "content-type": "application/json" },
    body: JSON.stringify(request.body),
  };
}

/** GitLab refuses to say again what it shows already. */
export function isShownAlready(provider: Forge, { status, text }: Answer): boolean {
  return provider === "gitlab" && (status === 400 || status === 409) && text.includes("Cannot transition status");
}

interface ForgeRequest {
  path: string;
  headers: Record<string, string>;
  body: object;
}

const REQUESTS: Record<Forge, (statement: Statement) => ForgeRequest> = {
  github,
  gitlab,
  gitea: giteaFamily,
  forgejo: giteaFamily,
  bitbucket: (statement) => (isBitbucketCloud(statement.settings) ? bitbucketCloud(statement) : dataCenter(statement)),
};

/** GitHub has no word for what was overtaken; its `error` says that the commit was not judged, where `failure` would judge it. */
const GITHUB_STATES = { pending: "pending", success: "success", failure: "failure", superseded: "error" } as const;

/** https://docs.github.com/rest/commits/statuses#create-a-commit-status */
function github(statement: Statement): ForgeRequest {
  const { settings, commit, token } = statement;
  return {
    path: `/repos/${settings.repository}/statuses/${commit}`,
    headers: {
      accept: "application/vnd.github+json",
      authorization: `Bearer ${token}`,
      "x-github-api-version": "2022-11-28",
    },
    body: statusBody(statement, 140),
  };
}

/** https://docs.gitlab.com/api/commits/#set-commit-pipeline-status */
function gitlab({ settings, commit, token, state, description, link }: Statement): ForgeRequest {
  const states = { pending: "pending", success: "success", failure: "failed", superseded: "canceled" };
  return {
    path: `/projects/${encodeURIComponent(settings.repository)}/statuses/${commit}`,
    headers: { "private-token": token },
    body: {
      ...{ state: states[state], name: settings.context },
      ...(link === null ? {} : { target_url: link }),
      description: cut(description, 255),
    },
  };
}

/** `CreateStatusOption` of Gitea's and Forgejo's `/api/swagger`. */
function giteaFamily(statement: Statement): ForgeRequest {
  const { settings, commit, token } = statement;
  return {
    path: `/repos/${settings.repository}/statuses/${commit}`,
    headers: { authorization: `token ${token}` },
    body: statusBody(statement, 255),
  };
}

function statusBody({ settings, state, description, link }: Statement, longest: number): object {
  return {
    state: GITHUB_STATES[state],
    ...(link === null ? {} : { target_url: link }),
    description: cut(description, longest),
    context: settings.context,
  };
}

const bitbucketStates = (stopped: string): Record<CommitState, string> => ({
  ...{ pending: "INPROGRESS", success: "SUCCESSFUL", failure: "FAILED" },
  superseded: stopped,
});

/** https://developer.atlassian.com/cloud/bitbucket/rest/api-group-commit-statuses/ */
function bitbucketCloud(statement: Statement): ForgeRequest {
  const { settings, commit } = statement;
  return {
    path: `/repositories/${settings.repository}/commit/${commit}/statuses/build`,
    headers: bitbucketHeaders(statement),
    body: {
      key: keyOf(settings.context),
      ...bitbucketBody(statement, "STOPPED", `https://bitbucket.org/${settings.repository}/commits/${commit}`),
    },
  };
}

/**
 * The builds of a repository rather than the older `/rest/build-status/1.0/commits`: that one has been deprecated since 7.14,
 * knows no repository, and a fork would show the status too.
 * https://developer.atlassian.com/server/bitbucket/rest/v807/api-group-builds-and-deployments/
 */
function dataCenter(statement: Statement): ForgeRequest {
  const { settings, commit } = statement;
  const [project = "", name = ""] = settings.repository.split("/");
  const path = `/projects/${project}/repos/${name}/commits/${commit}`;
  return {
    path: `/api/latest${path}/builds`,
    headers: bitbucketHeaders(statement),
    body: {
      key: cut(settings.context, 255),
      ...bitbucketBody(statement, "CANCELLED", `${settings.api.replace(/\/rest$/, "")}${path}`),
    },
  };
}

/** Bitbucket wants an address; where we have none, the commit's own. */
function bitbucketBody({ settings, state, description, link }: Statement, stopped: string, commitPage: string): object {
  return {
    state: bitbucketStates(stopped)[state],
    name: settings.context,
    url: link ?? commitPage,
    description: cut(description, 255),
  };
}

function bitbucketHeaders({ settings: { username }, token }: Statement): Record<string, string> {
  if (username === undefined) return { authorization: `Bearer ${token}` };
  return { authorization: `Basic ${Buffer.from(`${username}:${token}`).toString("base64")}` };
}

const isBitbucketCloud = ({ api }: CommitStatusSettings) => api.endsWith("/2.0");

/** At most 40 characters, and still one for each name. */
function keyOf(context: string): string {
  if (context.length <= 40) return context;
  return `${context.slice(0, 31)}-${createHash("sha256").update(context).digest("hex").slice(0, 8)}`;
}

/** By characters as the forges count them: half a pair would be refused. */
export function cut(text: string, longest: number): string {
  const characters = [...text];
  return characters.length <= longest ? text : `${characters.slice(0, longest - 1).join("")}…`;
}

interface Place {
  host: string;
  /** Where the forge answers http; of a repository over ssh the same host by https. */
  origin: string;
  path: string;
}

/** Undefined for what is on no host. */
function placeOf(repo: string): Place | undefined {
  if (repo.includes("://")) {
    const url = URL.canParse(repo) ? new URL(repo) : undefined;
    if (!url || !/^(?:https?|ssh):$/.test(url.protocol)) return undefined;
    const origin = url.protocol === "ssh:" ? `https://${url.hostname}` : url.origin;
    return { host: url.hostname.toLowerCase(), origin, path: trimmed(url.pathname) };
  }
  const [, host, path] = /^(?:[^@/]*@)?([^:/]+):(.+)$/.exec(repo) ?? [];
  if (host === undefined || path === undefined) return undefined;
  return { host: host.toLowerCase(), origin: `https://${host.toLowerCase()}`, path: trimmed(path) };
}

const trimmed = (path: string) => path.replace(/^\/+|(?:\.git)?\/*$/g, "");

/** Data Center clones over http from `/scm/PROJECT/name`. */
function repositoryOf(provider: Forge, path: string): string {
  return provider === "bitbucket" ? path.replace(/^scm\//, "") : path;
}

function checkApi(raw: string): string {
  const url = URL.canParse(raw) ? new URL(raw) : undefined;
  const isPlain = url && /^https?:$/.test(url.protocol) && !url.username && !url.password && !url.search && !url.hash;
  if (isPlain && raw.length <= 500) return `${url.origin}${url.pathname.replace(/\/+$/, "")}`;
  throw new WrkstError("ERR_INVALID", "expected the address of the forge's interface, without credentials", {
    hint: 'for example "https://git.example.com/api/v1"',
  });
}

function checkRepository(provider: Forge, raw: string): string {
  const parts = raw.split("/");
  const isLong = provider === "gitlab" ? parts.length >= 2 && parts.length <= 22 : parts.length === 2;
  const isName = (part: string) => /^~?[\w.-]{1,255}$/.test(part) && part !== "." && part !== "..";
  if (isLong && parts.every(isName)) return raw;
  throw new WrkstError("ERR_INVALID", `expected a repository such as "owner/name", received "${raw.slice(0, 200)}"`);
}

function checkContext(raw: string): string {
  if (/^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(raw) && raw.length <= LONGEST_CONTEXT) return raw;
  throw new WrkstError("ERR_INVALID", `expected a context of 1 to ${LONGEST_CONTEXT} plain characters`);
}

function unclear(field: string, expected: string): WrkstError {
  return new WrkstError("ERR_INVALID", `expected "${field}", since the repository's address does not tell it`, {
    hint: `say it: ${expected}`,
  });
}
