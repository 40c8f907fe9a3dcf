// What the scripts of testdata/ find: functions with versions, aliases, secrets and holds, tokens, users, and a login.

import { previewEntry } from "../agent/api/memory-previews.js";
import { sourceDetail } from "../agent/api/memory-sources.js";
import type { Position } from "../agent/errors.js";
import type { Explanation, SourceDetail, SourceSettings, Suspension } from "../agent/model.js";
import { envelope, idOf, problem, type Request, refusal, serve, type TestServer } from "./testing.js";

export const NOW = Date.parse("2026-01-01T00:00:04.000Z");
export const TOKEN = "wrkst_of-the-scripts";
const CREATED = "2026-01-01T00:00:00.000Z";
const SCRIPT = "/client/v4/accounts/*/workers/scripts/*";

interface Kept {
  versions: { id: string; message?: string; tag?: string }[];
  deployments: { version_id: string; percentage: number }[][];
  aliases: Record<string, string>;
  secrets: Set<string>;
}

/** A server with the functions "greet", which git declares, and those that are uploaded. */
export async function servePlatform(): Promise<TestServer & { functions: Record<string, Kept> }> {
  const server = await serve();
  const functions: Record<string, Kept> = {};
  const kept = (name = "") => (functions[name] ??= { versions: [], deployments: [], aliases: {}, secrets: new Set() });
  kept("greet").versions.push({ id: idOf("greet 2"), message: "second" }, { id: idOf("greet 1"), message: "first" });
  kept("greet").deployments.push([{ version_id: idOf("greet 2"), percentage: 100 }]);
  const guarded: TestServer["on"] = (route, answer) =>
    server.on(route, (request, match) =>
      request.authorization === `Bearer ${TOKEN}`
        ? answer(request, match)
        : problem(401, "ERR_UNAUTHORIZED", "expected a token, received none that is known"),
    );
  addVersions(guarded, kept);
  addRest(guarded, kept);
  addOurs(guarded, kept);
  addSpeech(guarded);
  addPreviews(guarded);
  return { ...server, functions };
}

/** A commit is there once somebody waits for it. */
function addPreviews(on: On): void {
  const times = { createdAt: NOW - 4_000, updatedAt: NOW - 4_000 };
  const asked = previewEntry({ function: "greet", ...times, expiresAt: NOW + 7 * 86_400_000 });
  const url = asked.url?.replace("--hello.", "--greet.") ?? null;
  const error = { code: "ERR_BUNDLE" as const, message: "expected an expression" };
  const position = { file: "greet/index.js", line: 3 };
  const failed = { branch: "feature/x", state: "failed" as const, version: null, url: null, expiresAt: null };
  const warnings = [{ message: "its copy is empty" }];
  let isMade = false;
  on("POST /api/v1/functions/*/previews", ({ body, query }) => {
    const { commit } = body as { commit: string };
    if (!asked.commit.startsWith(commit)) {
      return problem(404, "ERR_NOT_FOUND", `"${commit}" is no branch, tag or commit of "embedded"`);
    }
    isMade ||= query.get("wait") === "true";
    return isMade ? { ...asked, url } : { status: 202, body: { job: "p1", state: "running", url: "/api/v1/jobs/p1" } };
  });
  on("GET /api/v1/previews", () => ({
    previews: [
      { ...asked, url },
      { ...asked, ...failed, warnings, error: { ...error, position } },
    ],
    cursor: null,
  }));
  on("DELETE /api/v1/functions/*/previews/*", () => ({ status: 204 }));
}

type On = TestServer["on"];
type Find = (name?: string) => Kept;

function addVersions(on: On, kept: Find): void {
  const shape = ({ id, message, tag }: Kept["versions"][number]) => ({
    id,
    metadata: { created_on: CREATED, author_email: "ada@example.com", source: "wrkst" },
    annotations: { ...(message && { "workers/message": message }), ...(tag && { "workers/tag": tag }) },
    resources: {
      bindings: [{ name: "GREETING", type: "plain_text" }],
      script_runtime: { compatibility_date: "2026-11-01", compatibility_flags: [] },
    },
  });
  on(`POST ${SCRIPT}/versions`, ({ form }, [, name]) => {
    const metadata = JSON.parse(String(form?.get("metadata")));
    const annotations = metadata.annotations ?? {};
    const id = idOf(`${name} ${kept(name).versions.length + 1}`);
    const version = { id, message: annotations["workers/message"], tag: annotations["workers/tag"] };
    kept(name).versions.unshift(version);
    if (annotations["workers/alias"]) kept(name).aliases[annotations["workers/alias"]] = id;
    return envelope({ ...shape(version), startup_time_ms: 4, url: `http://${id.slice(0, 8)}.${name}.localhost` });
  });
  on(`GET ${SCRIPT}/versions`, (_, [, name]) => envelope({ items: kept(name).versions.map(shape) }));
  on(`GET ${SCRIPT}/versions/*`, (_, [, name, id = ""]) => {
    const found = kept(name).versions.find((version) => version.id.startsWith(id));
    return found ? envelope(shape(found)) : refusal(404, 1003, `"${name}" has no version "${id}"`);
  });
  const deployment = (versions: Kept["deployments"][number]) => ({
    id: idOf("deployment"),
    created_on: CREATED,
    author_email: "ada@example.com",
    annotations: {},
    versions,
  });
  on(`GET ${SCRIPT}/deployments`, (_, [, name]) => envelope({ deployments: kept(name).deployments.map(deployment) }));
  on(`POST ${SCRIPT}/deployments`, ({ body, query }, [, name]) => {
    if (name === "greet" && !query.has("force")) {
      const hint = "push to it, or repeat with --force, which pins it";
      return refusal(409, 10040, 'function "greet" is declared by source "default"', { hint });
    }
    const { versions } = body as { versions: Kept["deployments"][number] };
    kept(name).deployments.unshift(versions);
    return envelope(deployment(versions));
  });
}

function addRest(on: On, kept: Find): void {
  on(`GET ${SCRIPT}/subdomain`, () => envelope({ enabled: true, previews_enabled: true }));
  on(`GET ${SCRIPT}/aliases`, (_, [, name]) =>
    envelope(
      Object.entries(kept(name).aliases).map(([alias, id]) => ({ name: alias, version_id: id, created_on: CREATED })),
    ),
  );
  on(`PUT ${SCRIPT}/aliases/*`, ({ body }, [, name, alias = ""]) => {
    kept(name).aliases[alias] = (body as { version_id: string }).version_id;
    return envelope({ name: alias, version_id: kept(name).aliases[alias], created_on: CREATED });
  });
  on(`DELETE ${SCRIPT}/aliases/*`, (_, [, name, alias = ""]) => {
    if (!(alias in kept(name).aliases)) return refusal(404, 10007, `"${name}" has no alias "${alias}"`);
    delete kept(name).aliases[alias];
    return envelope(null);
  });
  on(`GET ${SCRIPT}/secrets`, (_, [, name]) =>
    envelope([...kept(name).secrets].sort().map((secret) => ({ name: secret, type: "secret_text" }))),
  );
  on(`PUT ${SCRIPT}/secrets`, ({ body }, [, name]) => {
    kept(name).secrets.add((body as { name: string }).name);
    return envelope(null);
  });
  on(`DELETE ${SCRIPT}/secrets/*`, (_, [, name, key = ""]) => {
    kept(name).secrets.delete(key);
    return envelope(null);
  });
  on(`PATCH ${SCRIPT}/secrets-bulk`, ({ body }, [, name]) => {
    for (const [key, value] of Object.entries((body as { secrets: Record<string, unknown> }).secrets)) {
      kept(name).secrets[value === null ? "delete" : "add"](key);
    }
    return envelope(null);
  });
}

function addSpeech(on: On): void {
  const position = { file: "greet/index.ts", line: 3, column: 5 };
  const failure = {
    name: "TypeError",
    message: "no name",
    stack: "TypeError: no name\n    at greet (greet/index.ts:3:5)",
    position,
  };
  const request = {
    request: { url: "http://greet.localhost/a", method: "GET", headers: {}, cf: null },
    response: { status: 500 },
  };
  on("GET /api/v1/functions/*/tail", ({ query }) => ({
    events: [
      {
        ...{ outcome: "exception", eventTimestamp: 0, wallTime: 3.2, event: request },
        logs: [{ level: "log", timestamp: 0, message: ["asked by", { name: null }, "\x1b[31mred"] }],
        exceptions: [{ ...failure, timestamp: 0 }],
      },
      {
        outcome: "ok",
        eventTimestamp: 1000,
        event: { type: "overload", message: query.toString() },
        logs: [],
        exceptions: [],
      },
      { outcome: "ok", eventTimestamp: 1000, event: null, logs: [], exceptions: [] },
    ],
  }));
  on("GET /api/v1/functions/*/logs", (_, [name]) => ({
    logs:
      name === "quiet"
        ? []
        : [
            { id: 2, at: 2000, kind: "exception", level: "error", ...failure, method: "GET", path: "/a" },
            { id: 1, at: 1000, kind: "log", level: "warn", message: "one\ntwo" },
          ],
    cursor: null,
  }));
  on("GET /api/v1/functions/*/why", (_, [name = ""]) => whyOf(name, position));
}

function whyOf(name: string, position: Position): Explanation {
  const by = { author: "Ada", createdAt: NOW - 3_600_000 };
  const moved = { from: null, to: idOf("greet 2"), revision: null };
  return {
    ...{ name, state: "failed", version: idOf("greet 2"), declared: idOf("greet 3"), revision: "main@sha1:3f2a91c0" },
    ...{ decision: "the last good version goes on serving", rule: "a broken push takes nothing down" },
    next: "mend it and push",
    holds: [
      { ...by, alias: "latest", kind: "pin", version: idOf("greet 2"), reason: "fair", expiresAt: NOW + 3_600_000 },
      { ...by, alias: "test", kind: "pin", version: idOf("greet 1") },
    ],
    lastEvent: { id: 7, at: NOW - 60_000, kind: "function.failed", message: "greet failed" },
    lastDeployment: { id: "d1", function: name, at: NOW - 7_200_000, cause: "push", author: "Ada", ...moved },
    databases: [{ binding: "D1", id: idOf("greet-d1"), name: "greet-d1" }],
    error: { code: "ERR_BUNDLE", message: 'expected ";"', position, hint: "mend the file" },
  };
}

function noVersion(name: string | undefined, version: string) {
  const message = `"${name}" has no version "${version}": none has that id, commit, alias or tag`;
  return problem(404, "ERR_VERSION_NOT_FOUND", message, { hint: `see: wrkst versions list --name ${name}` });
}

function addOurs(on: On, kept: Find): void {
  on("GET /api/v1/whoami", () => ({
    ...{ subject: "u1", name: "Ada", email: "ada@example.com", role: "deployer", account: "ada" },
    ...{ scopes: ["read", "deploy"], credential: { kind: "api-token", id: "t1" } },
  }));
  on("GET /api/v1/functions/*", (_, [name = ""]) => ({
    name,
    url: `http://${name}.localhost`,
    version: kept(name).deployments[0]?.[0]?.version_id ?? null,
  }));
  on("DELETE /api/v1/functions/*", () => ({ status: 204 }));
  for (const word of ["restore", "resume"]) {
    on(`POST /api/v1/functions/*/${word}`, (_, [name = ""]) =>
      name === "nope"
        ? problem(404, "ERR_NOT_FOUND", 'there is no removed function "nope"', { hint: "see: wrkst status" })
        : { name, state: "ready", version: idOf(`${name} 2`), url: `http://${name}.localhost` },
    );
  }
  addSources(on);
  on("POST /api/v1/sources/*/webhooks/*", ({ body }: Request, [source = "", provider = ""]) => ({
    ...{ source, provider, url: `http://localhost:8080/webhooks/${source}/${provider}` },
    secret: provider === "oidc" ? null : `whsec_${Buffer.from("of the scripts").toString("base64")}`,
    created: (body as { rotate: boolean }).rotate,
  }));
  on("POST /api/v1/functions/*/suspend", ({ body }: Request) => {
    const { expires, ...rest } = body as { expires?: string };
    return { ...rest, author: "Ada", createdAt: NOW, ...(expires ? { expiresAt: Date.parse(expires) } : {}) };
  });
  on("POST /api/v1/functions/*/rollback", ({ body }: Request, [name]) => {
    const { to } = body as { to?: string };
    if (to === "nope") return noVersion(name, to);
    return { id: "d9", function: name, from: idOf(`${name} 2`), to: to ?? idOf(`${name} 1`) };
  });
  on("POST /api/v1/functions/*/promote", (_, [name]) => ({ id: "d9", function: name, to: idOf(`${name} 2`) }));
  on("PUT /api/v1/functions/*/pins/*", ({ body }, [name, alias]) => {
    const { version } = body as { version: string };
    return version === "nope" ? noVersion(name, version) : { ...(body as object), alias, kind: "pin" };
  });
  on("DELETE /api/v1/functions/*/pins/*", () => ({ status: 204 }));
  const token = { id: "t1", name: "ci", account: "ada", scopes: ["deploy"], created: CREATED, lastUsed: null };
  on("GET /api/v1/tokens", () => ({
    tokens: [{ ...token, expires: "2026-04-01T00:00:00.000Z" }],
    cursor: null,
  }));
  on("POST /api/v1/tokens", ({ body }) => ({
    status: 201,
    body: { ...token, ...(body as object), token: "wrkst_once" },
  }));
  on("DELETE /api/v1/tokens/*", () => ({ status: 204 }));
  const user = { id: "u1", name: "Ada", email: "ada@example.com", role: "deployer", account: "ada", lastLogin: null };
  on("GET /api/v1/users", () => ({ users: [user], cursor: null }));
  on("PATCH /api/v1/users/*", ({ body }) => ({ ...user, ...(body as object) }));
}

function addSources(on: On): void {
  const all = new Map([["default", sourceDetail("default")]]);
  const expect = (name: string, answer: (found: SourceDetail) => unknown) => {
    const found = all.get(name);
    return found ? answer(found) : problem(404, "ERR_NOT_FOUND", `there is no source "${name}"`);
  };
  const keep = (detail: SourceDetail) => {
    all.set(detail.name, detail);
    return detail;
  };
  on("GET /api/v1/sources", () => ({ sources: [...all.values()], cursor: null }));
  on("GET /api/v1/sources/*", (_, [name = ""]) => expect(name, (found) => found));
  on("POST /api/v1/sources", ({ body }) => {
    const { name, credentials, ...settings } = body as SourceSettings & { name: string; credentials: object };
    const named = Object.keys(credentials) as SourceDetail["credentials"];
    const detail = keep(sourceDetail(name, { settings, credentials: named }));
    const isThere = !("branch" in settings.follow) || settings.follow.branch !== "nowhere";
    return isThere
      ? detail
      : { ...detail, error: { code: "ERR_GIT_NO_BRANCH", message: 'branch "nowhere" does not exist' } };
  });
  on("PATCH /api/v1/sources/*", ({ body }, [name = ""]) =>
    expect(name, (found) => {
      const { credentials: _, ...changes } = body as SourceSettings & { credentials: object };
      return keep({ ...found, settings: { ...found.settings, ...changes } });
    }),
  );
  on("DELETE /api/v1/sources/*", (_, [name = ""]) =>
    expect(name, () => {
      all.delete(name);
      return { status: 204 };
    }),
  );
  on("POST /api/v1/sources/*/suspend", ({ body }, [name = ""]) =>
    expect(name, (found) => {
      const { reason, expires } = body as { reason: string; expires?: string };
      const suspension: Suspension = { reason, author: "Ada", createdAt: NOW };
      if (expires) suspension.expiresAt = Date.parse(expires);
      keep({ ...found, state: "suspended", suspension });
      return suspension;
    }),
  );
  on("POST /api/v1/sources/*/resume", (_, [name = ""]) =>
    expect(name, ({ suspension: _, ...found }) => keep({ ...found, state: "ready" })),
  );
  on("POST /api/v1/sources/*/sync", (_, [name = ""]) =>
    expect(name, () => ({
      status: 202,
      body: { job: "job-1", source: name, state: "running", url: "/api/v1/jobs/job-1" },
    })),
  );
}
