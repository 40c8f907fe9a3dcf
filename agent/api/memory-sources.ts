// Sources in memory, for tests of what stands in front of them: the API and the command line.
import { WrkstError } from "../errors.js";
import type { Actor, PassReport, SourceCredentials, SourceDetail, SourceSettings, Suspension } from "../model.js";
import type { Job } from "../reconcile/platform.js";
import type { Sources } from "../reconcile/sources.js";

export interface MemorySources extends Sources {
  /** What was asked for, as `<verb> <name>`, with what came with it. */
  calls: { call: string; by: string; given?: unknown }[];
  all: Map<string, SourceDetail>;
}

const SETTINGS: SourceSettings = {
  repo: "embedded",
  follow: { branch: "main" },
  path: "",
  account: "main",
  interval: null,
  prune: { percent: 50, count: 3 },
  atomic: false,
  previews: [],
  previewSecrets: false,
  verify: null,
};

export function sourceDetail(name: string, more: Partial<SourceDetail> = {}): SourceDetail {
  const settings = { ...SETTINGS, ...more.settings };
  return {
    name,
    repo: settings.repo,
    branch: "branch" in settings.follow ? settings.follow.branch : settings.follow.tags,
    path: settings.path,
    revision: null,
    state: "ready",
    lastFetch: null,
    credentials: [],
    webhooks: [],
    isOfEnvironment: name === "default",
    functions: 2,
    branches: [],
    ...more,
    settings,
  };
}

/** `sync` is that of the platform in memory, which keeps what was asked for. */
export function createMemorySources(
  sync: (name: string, options: { wait: boolean }) => Promise<PassReport | Job>,
  webhookSecret: string | undefined,
): MemorySources {
  const expect = (name: string): SourceDetail => {
    const found = sources.all.get(name);
    if (found) return found;
    throw new WrkstError("ERR_NOT_FOUND", `there is no source "${name}"`);
  };
  const note = (call: string, by: Actor, given?: unknown) => {
    sources.calls.push({ call, by: by.name, ...(given === undefined ? {} : { given }) });
  };
  const keep = (detail: SourceDetail): SourceDetail => {
    sources.all.set(detail.name, detail);
    return detail;
  };
  const namesOf = (credentials: SourceCredentials) => Object.keys(credentials) as (keyof SourceCredentials)[];
  const sources: MemorySources = {
    calls: [],
    all: new Map([["default", sourceDetail("default")]]),
    list: () => [...sources.all.values()],
    find: (name) => sources.all.get(name),
    async add(name, settings, credentials, by) {
      note(`add ${name}`, by, { settings, credentials });
      if (sources.all.has(name)) throw new WrkstError("ERR_CONFLICT", `there is a source "${name}" already`);
      return keep(sourceDetail(name, { settings, credentials: namesOf(credentials) }));
    },
    async edit(name, changes, credentials, by) {
      const before = expect(name);
      note(`edit ${name}`, by, { changes, credentials });
      return keep(sourceDetail(name, { ...before, settings: { ...before.settings, ...changes } }));
    },
    async remove(name, options, by) {
      expect(name);
      note(`remove ${name}`, by, options);
      sources.all.delete(name);
    },
    async suspend(name, { reason, expires }, by) {
      const before = expect(name);
      note(`suspend ${name}`, by, { reason, expires });
      const suspension: Suspension = {
        ...{ author: by.name, createdAt: 1 },
        ...(reason === undefined ? {} : { reason }),
        ...(expires === undefined ? {} : { expiresAt: expires }),
      };
      keep({ ...before, state: "suspended", suspension });
      return suspension;
    },
    async resume(name, by) {
      const { suspension: _, ...before } = expect(name);
      note(`resume ${name}`, by);
      keep({ ...before, state: "ready" });
    },
    sync: (name, options) => sync(name, options),
    job: () => undefined,
    async diff(name, ref) {
      expect(name);
      return { source: name, from: null, to: ref ?? "main", functions: [], isChange: false };
    },
    async webhook(name, provider, { rotate }, by) {
      expect(name);
      if (rotate && webhookSecret) throw new WrkstError("ERR_CONFLICT", "the secret is that of the environment");
      note(`webhook ${name} ${provider}`, by, { rotate });
      const url = `http://localhost:8080/webhooks/${name}/${provider}`;
      return { url, secret: webhookSecret ?? "made", created: webhookSecret === undefined };
    },
    webhookSecret: (name) => (sources.all.has(name) ? webhookSecret : undefined),
  };
  return sources;
}
