// Serves the API over a platform in memory, on a real socket, for tests.

import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { request as httpRequest, type IncomingHttpHeaders } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Auth, openAuth } from "../auth/index.js";
import { NO_ACCESS } from "../auth/testing/new-auth.js";
import { createLog } from "../log.js";
import { openTestMetrics } from "../metrics/test-metrics.js";
import type { AccessSettings, CiRule } from "../model-access.js";
import { openRegistry } from "../store/index.js";
import { createApi } from "./index.js";
import { type ListenOptions, listenOn } from "./listen.js";
import { createMemoryDatabases } from "./memory-databases.js";
import { createMemoryDeploys } from "./memory-deploys.js";
import { createMemoryPlatform } from "./memory-platform.js";
import { createMemoryPreviews } from "./memory-previews.js";
import { createMemorySources } from "./memory-sources.js";
import { createMemoryTelling } from "./memory-telling.js";
import type { SyncRequest } from "./platform.js";
import { openTestTail } from "./test-tail.js";

export const TOKEN = "wrkst_token-of-the-tests-only-and-long-enough";
export const SECRET = "a webhook secret of the tests";

/** Makes an account "other", beside `main`. */
const OTHER_ACCOUNT: CiRule = {
  issuer: "https://ci.example.com",
  audience: "wrkst",
  claims: { repository: "a/b" },
  account: "other",
  scopes: ["deploy"],
};

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
  json: Record<string, unknown>;
}

export interface Ask {
  method?: string;
  headers?: Record<string, string>;
  body?: string | Buffer;
  /** Send the token (default). */
  token?: string | null;
}

export interface ServeOptions {
  webhookSecret?: string;
  /** Access as the operator sets it; the clock then begins at the time of now. */
  access?: AccessSettings;
  publicUrl?: string;
  /** Who shows what, and which accounts there are, as the test says. */
  auth?: Pick<Auth, "authenticate" | "isAccount">;
}

export async function serveApi(where: Partial<ListenOptions> = {}, options: ServeOptions = {}) {
  const {
    access = { ...NO_ACCESS, ciRules: [OTHER_ACCOUNT] },
    publicUrl = "http://localhost:8080",
    auth: given,
    webhookSecret = SECRET,
  } = options;
  let now = options.access ? Date.now() : 1_000_000;
  let logged = "";
  const destination = {
    write: (line: string) => {
      logged += line;
    },
  };
  const platform = createMemoryPlatform();
  const sources = createMemorySources((name, request) => platform.sync(name, request as SyncRequest), webhookSecret);
  const dir = await mkdtemp(join(tmpdir(), "wrkst-api-"));
  const secretsDir = join(dir, "secrets");
  await mkdir(secretsDir);
  await writeFile(join(secretsDir, "admin-token"), TOKEN);
  const registry = openRegistry(join(dir, "registry.sqlite"), { now: () => now });
  const tail = openTestTail(dir);
  const git: { pathInfo: string; who: string; bytes: number }[] = [];
  const deploys = createMemoryDeploys();
  const previews = createMemoryPreviews();
  const databases = createMemoryDatabases(dir, () => now);
  const telling = createMemoryTelling();
  const metrics = openTestMetrics();
  const auth = await openAuth({
    secretsDir,
    adminToken: true,
    records: registry.access,
    settings: access,
    publicUrl: () => publicUrl,
    cooldown: 0,
    now: () => now,
  });
  const api = createApi({
    tail,
    platform,
    sources,
    telling,
    previews,
    deploys,
    databases,
    metrics,
    audit: (event) => void registry.addEvent(event),
    writes: registry.writes,
    deliveries: registry.deliveries,
    publicUrl: () => publicUrl,
    uploads: join(dir, "uploads"),
    auth: { ...auth, ...given },
    git: (req, res, pathInfo, who) => {
      let bytes = 0;
      req.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
      });
      req.on("end", () => {
        git.push({ pathInfo, who, bytes });
        res.end(req.url);
      });
    },
    config: { trustedProxies: ["10.0.0.0/8"], baseDomain: "localhost" },
    log: createLog({ level: "debug", format: "json", destination }),
    now: () => now,
  });
  const anywhere = where.socketPath === undefined ? { host: "127.0.0.1", port: 0 } : {};
  const listening = await listenOn({ handler: api.handler, upgrade: api.upgrade, ...anywhere, ...where });
  const target = where.socketPath === undefined ? { host: "127.0.0.1", port: listening.port } : where;
  return {
    api,
    auth,
    registry,
    dir,
    platform,
    sources,
    telling,
    previews,
    deploys,
    databases,
    metrics,
    uploads: join(dir, "uploads"),
    tail,
    git,
    port: listening.port,
    url: `http://127.0.0.1:${listening.port}`,
    token: TOKEN,
    logged: () => logged,
    now: () => now,
    pass: (milliseconds: number) => {
      now += milliseconds;
    },
    close: async () => {
      tail.close();
      await listening.close(100);
      registry.close();
      await rm(dir, { recursive: true, force: true });
    },
    ask: (path: string, { method = "GET", headers = {}, body, token = TOKEN }: Ask = {}) =>
      new Promise<Answer>((resolve, reject) => {
        const authorization: Record<string, string> = token === null ? {} : { authorization: `Bearer ${token}` };
        const { socketPath } = where;
        const options = {
          ...(socketPath ? { socketPath } : target),
          method,
          path,
          headers: { ...authorization, ...headers },
        };
        const req = httpRequest(options as object, (res) => {
          const chunks: Buffer[] = [];
          res.on("data", (chunk: Buffer) => chunks.push(chunk));
          res.on("end", () => {
            const text = Buffer.concat(chunks).toString();
            const json = /json/.test(res.headers["content-type"] ?? "") ? JSON.parse(text || "{}") : {};
            resolve({ status: res.statusCode ?? 0, headers: res.headers, text, json });
          });
        });
        req.on("error", reject);
        req.end(body);
      }),
  };
}
