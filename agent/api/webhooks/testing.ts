// Deliveries as the forges document them, and how each is signed; for tests.

import { createHmac, randomUUID } from "node:crypto";
import type { ProviderName } from "./providers.js";

export const SECRETS = {
  plain: "a webhook secret of the tests",
  whsec: `whsec_${Buffer.from("thirty-two bytes of a secret key").toString("base64")}`,
};

export interface Example {
  title: string;
  provider: ProviderName;
  /** Beside those of the proof and of the content type. */
  headers: Record<string, string>;
  body: string;
  /** What a valid delivery leads to: the goal of a sync, null for one without, undefined for none. */
  wakes: string | null | undefined;
  /** Without it there is no proof, in lower case. */
  proofHeader: string;
  signsBody: boolean;
  /** Where the id of the delivery is. */
  idHeader?: string;
  needsId?: boolean;
  signsId?: boolean;
}

const COMMIT = "82b3d5ae55f7080f1e6022629cdb57bfae7cccc7";
const BEFORE = "95790bf891e76fee5e1747ab589903a6a1f80f22";
const NONE = "0".repeat(40);

const hmac = (secret: string, body: string, algorithm = "sha256") =>
  createHmac(algorithm, secret).update(body).digest("hex");

/** @param now milliseconds since 1970 */
export function standardHeaders(body: string, secret: string, id: string, now: number): Record<string, string> {
  const key = secret.startsWith("whsec_") ? Buffer.from(secret.slice(6), "base64") : secret;
  const timestamp = String(Math.floor(now / 1000));
  const signature = createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest("base64");
  return { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": `v1,${signature}` };
}

/** All headers of a delivery; with the same id as `first` had, where one is given. */
export function headersFor(
  example: Example,
  secret: string,
  now: number,
  first?: Record<string, string>,
): Record<string, string> {
  const { body, idHeader } = example;
  const id = (idHeader && first?.[idHeader]) || randomUUID();
  const ids = idHeader ? { [idHeader]: id } : {};
  const type: Record<string, string> = body === "" ? {} : { "content-type": "application/json" };
  return { ...type, ...ids, ...example.headers, ...proofOf(example, { secret, id, now }) };
}

function proofOf(
  { proofHeader, body }: Example,
  { secret, id, now }: { secret: string; id: string; now: number },
): Record<string, string> {
  switch (proofHeader) {
    case "webhook-signature":
      return standardHeaders(body, secret, id, now);
    case "x-gitlab-token":
      return { [proofHeader]: secret };
    case "x-hub-signature-256":
    case "x-hub-signature":
    case "x-signature":
      return { [proofHeader]: `sha256=${hmac(secret, body)}` };
    default:
      return { [proofHeader]: hmac(secret, body) };
  }
}

const GITHUB = {
  provider: "github" as const,
  headers: { "x-github-event": "push", "x-hub-signature": `sha1=${"0".repeat(40)}` },
  ...{ proofHeader: "x-hub-signature-256", signsBody: true, idHeader: "x-github-delivery", needsId: true },
};

const githubPush = (change: object) =>
  JSON.stringify({
    ...{ ref: "refs/heads/main", before: BEFORE, after: COMMIT, created: false, deleted: false, forced: false },
    ...{ repository: { id: 186853002, full_name: "Codertocat/Hello-World", default_branch: "main" } },
    ...{ pusher: { name: "Codertocat" }, commits: [], head_commit: { id: COMMIT, message: "Again" }, ...change },
  });

const GITLAB = {
  provider: "gitlab" as const,
  headers: {
    "x-gitlab-event": "Push Hook",
    "x-gitlab-instance": "https://gitlab.com",
    "x-gitlab-webhook-uuid": "28e9a8d5-98a8-4313-8ef7-5275dbc62c54",
    "x-gitlab-event-uuid": "0d518e32-befb-4d5e-a039-6ad029b96b11",
  },
  ...{ proofHeader: "x-gitlab-token", signsBody: false, idHeader: "idempotency-key" },
};

const gitlabPush = (change: object) =>
  JSON.stringify({
    ...{ object_kind: "push", event_name: "push", before: BEFORE, after: COMMIT, ref: "refs/heads/main" },
    ...{ ref_protected: true, checkout_sha: COMMIT, user_id: 4, user_name: "John Smith", project_id: 15 },
    project: { id: 15, name: "Diaspora", path_with_namespace: "mike/diaspora", default_branch: "main" },
    ...{ commits: [{ id: COMMIT, message: "fixed readme", added: ["CHANGELOG"] }], total_commits_count: 1, ...change },
  });

function gogsFamily(provider: "gogs" | "gitea" | "forgejo", event = "push") {
  const uuid = "f6266f16-1bf3-46a5-9ea4-602e06ead473";
  const ancestors = provider === "gogs" ? [] : ["gogs", "github", ...(provider === "forgejo" ? ["gitea"] : [])];
  const inherited = ancestors.map((name) => ({ [`x-${name}-delivery`]: uuid, [`x-${name}-event`]: event }));
  return {
    provider,
    headers: Object.assign({ [`x-${provider}-event`]: event }, ...inherited) as Record<string, string>,
    ...{ proofHeader: `x-${provider}-signature`, signsBody: true, idHeader: `x-${provider}-delivery`, needsId: true },
  };
}

const gogsPush = (change: object = {}) =>
  JSON.stringify({
    ...{ ref: "refs/heads/main", before: BEFORE, after: COMMIT },
    compare_url: "http://localhost:3000/gitea/webhooks/compare/95790bf8...82b3d5ae",
    commits: [{ id: COMMIT, message: "Webhooks Yay!", author: { name: "Gitea", email: "someone@gitea.io" } }],
    repository: { id: 140, name: "webhooks", full_name: "gitea/webhooks", default_branch: "main" },
    ...{ pusher: { id: 1, login: "gitea" }, sender: { id: 1, login: "gitea" }, ...change },
  });

const BITBUCKET = {
  provider: "bitbucket" as const,
  ...{ proofHeader: "x-hub-signature", signsBody: true, needsId: true },
};

const side = (name: string, hash: string, type = "branch") => ({ type, name, target: { type: "commit", hash } });

const bitbucketCloud = (changes: { new: object | null; old: object | null }[]) =>
  JSON.stringify({
    actor: { type: "user", nickname: "emmap1", display_name: "Emma" },
    repository: { type: "repository", full_name: "team_name/repo_name", uuid: "{673a6070-3421-46c9-9d48}" },
    push: { changes: changes.map((change) => ({ ...change, created: false, closed: !change.new, forced: false })) },
  });

const bitbucketDataCenter = (changes: { ref: string; toHash: string; type: string }[]) =>
  JSON.stringify({
    ...{ eventKey: "repo:refs_changed", date: "2017-09-19T09:45:32+1000", actor: { name: "admin", type: "NORMAL" } },
    repository: { slug: "repository", id: 84, scmId: "git", project: { key: "PROJ", id: 84 } },
    changes: changes.map(({ ref, toHash, type }) => ({
      ref: { id: ref, displayId: ref.split("/").at(-1), type: "BRANCH" },
      ...{ refId: ref, fromHash: BEFORE, toHash, type },
    })),
  });

const CLOUD = {
  ...BITBUCKET,
  headers: { "x-event-key": "repo:push", "x-hook-uuid": "{9a6a2c3e-hook}", "x-attempt-number": "1" },
  idHeader: "x-request-uuid",
};
const DATA_CENTER = { ...BITBUCKET, headers: { "x-event-key": "repo:refs_changed" }, idHeader: "x-request-id" };

const STANDARD = { ...{ proofHeader: "webhook-signature", signsBody: true, idHeader: "webhook-id", needsId: true } };
const GENERIC = {
  provider: "generic" as const,
  headers: {},
  ...{ proofHeader: "x-signature", signsBody: true, idHeader: "idempotency-key" },
};
const named = JSON.stringify({ ref: "refs/heads/main", commit: COMMIT });

/** The first of each provider is one with a body that wakes. */
export const EXAMPLES: Example[] = [
  { title: "GitHub's push", ...GITHUB, body: githubPush({}), wakes: COMMIT },
  {
    title: "GitHub's push that deletes the branch",
    ...GITHUB,
    ...{ body: githubPush({ after: NONE, deleted: true, head_commit: null }), wakes: null },
  },
  { title: "GitHub's push to another branch", ...GITHUB, body: githubPush({ ref: "refs/heads/x" }), wakes: undefined },
  { title: "GitLab's push with its token", ...GITLAB, body: gitlabPush({}), wakes: COMMIT },
  {
    title: "GitLab's push with a signature",
    ...{ ...GITLAB, ...STANDARD, signsId: true },
    ...{ body: gitlabPush({}), wakes: COMMIT },
  },
  {
    title: "GitLab's push that deletes the branch",
    ...GITLAB,
    ...{ body: gitlabPush({ after: NONE, checkout_sha: null }), wakes: null },
  },
  {
    title: "GitLab's push of a tag",
    ...{ ...GITLAB, headers: { ...GITLAB.headers, "x-gitlab-event": "Tag Push Hook" } },
    ...{ body: gitlabPush({ object_kind: "tag_push", ref: "refs/tags/v1.0.0" }), wakes: undefined },
  },
  {
    title: "GitLab's merge request",
    ...{ ...GITLAB, headers: { ...GITLAB.headers, "x-gitlab-event": "Merge Request Hook" } },
    ...{ body: '{"object_kind":"merge_request"}', wakes: undefined },
  },
  { title: "Gitea's push", ...gogsFamily("gitea"), body: gogsPush(), wakes: COMMIT },
  {
    title: "Gitea's deletion of the branch",
    ...gogsFamily("gitea", "delete"),
    ...{ body: JSON.stringify({ ref: "main", ref_type: "branch", pusher_type: "user" }), wakes: null },
  },
  {
    title: "Gitea's creation of the branch",
    ...gogsFamily("gitea", "create"),
    ...{ body: JSON.stringify({ sha: COMMIT, ref: "main", ref_type: "branch" }), wakes: COMMIT },
  },
  { title: "Forgejo's push", ...gogsFamily("forgejo"), body: gogsPush({ head_commit: { id: COMMIT } }), wakes: COMMIT },
  { title: "Gogs' push", ...gogsFamily("gogs"), body: gogsPush(), wakes: COMMIT },
  {
    title: "Bitbucket Cloud's push",
    ...CLOUD,
    body: bitbucketCloud([
      { new: side("other", BEFORE), old: null },
      { new: side("main", COMMIT), old: side("main", BEFORE) },
    ]),
    wakes: COMMIT,
  },
  {
    title: "Bitbucket Cloud's push that deletes the branch",
    ...CLOUD,
    ...{ body: bitbucketCloud([{ new: null, old: side("main", BEFORE) }]), wakes: null },
  },
  {
    title: "Bitbucket Cloud's push of a tag of the branch's name",
    ...CLOUD,
    ...{ body: bitbucketCloud([{ new: side("main", COMMIT, "tag"), old: null }]), wakes: undefined },
  },
  {
    title: "Bitbucket Data Center's push",
    ...DATA_CENTER,
    body: bitbucketDataCenter([{ ref: "refs/heads/main", toHash: COMMIT, type: "UPDATE" }]),
    wakes: COMMIT,
  },
  {
    title: "Bitbucket Data Center's push that deletes the branch",
    ...DATA_CENTER,
    body: bitbucketDataCenter([{ ref: "refs/heads/main", toHash: NONE, type: "DELETE" }]),
    wakes: null,
  },
  {
    title: "a Standard Webhook",
    ...{ provider: "standard", headers: {}, ...STANDARD, signsId: true, body: named, wakes: COMMIT },
  },
  { title: "a generic webhook", ...GENERIC, body: named, wakes: COMMIT },
  {
    title: "a generic webhook that names a branch in short",
    ...{ ...GENERIC, body: '{"ref":"main"}', wakes: null },
  },
  { title: "a generic webhook without a body", ...GENERIC, body: "", wakes: null },
];
