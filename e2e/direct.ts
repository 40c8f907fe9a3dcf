// For tests of direct deploys: an agent in this process, reached by its own interface and by requests.
import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Agent, openAgent } from "../agent/agent.js";
import { parseConfig } from "../agent/config.js";
import { type ErrorCode, WrkstError } from "../agent/errors.js";
import { createLog } from "../agent/log.js";
import type { Actor, FunctionRef, PassReport, Upload, UploadBinding } from "../agent/model.js";
import type { VersionDetail } from "../agent/reconcile/deploys.js";
import type { SyncOptions } from "../agent/reconcile/loop.js";
import { type Answer, createEmptyRepository, freePort, PATIENCE, type RequestOptions, sendRequest } from "./harness.js";

export const ANN: Actor = { name: "ann", email: "ann@example.com", credential: "api-token:1", address: "127.0.0.1" };
export const MAIN = "main";

export interface DirectAgent {
  readonly agent: Agent;
  readonly port: number;
  readonly dataDir: string;
  /** All that was logged. */
  output(): string;
  request(host: string, path?: string, options?: RequestOptions): Promise<Answer>;
  /** Body of the answer to `GET /`. */
  text(host: string, headers?: Record<string, string>): Promise<string>;
  /** Uploads and deploys at 100 %. */
  deploy(name: string, upload: Partial<Upload> & { code: string }, account?: string): Promise<VersionDetail>;
  upload(name: string, upload: Partial<Upload> & { code: string }, account?: string): Promise<VersionDetail>;
  /** A pass, and its report. */
  sync(options?: SyncOptions): Promise<PassReport>;
  stop(): Promise<void>;
}

/** For `assert.rejects` and `assert.throws`. */
export function failsWith(code: ErrorCode): (error: unknown) => boolean {
  return (error) => error instanceof WrkstError && error.code === code;
}

export function ref(name: string, account = MAIN): FunctionRef {
  return { account, name };
}

export function uploadOf({ code, ...change }: Partial<Upload> & { code: string }): Upload {
  const module = { name: "index.js", kind: "esm" as const, bytes: Buffer.from(code) };
  return {
    bundle: { main: "index.js", modules: [module], sourceMaps: {} },
    bindings: [],
    keep: ["secret"],
    client: "test",
    ...change,
  };
}

/** A module that answers the text. */
export function answers(text: string): string {
  return `export default { fetch: () => new Response(${JSON.stringify(text)}) };\n`;
}

/** A module that answers all of its `env` as JSON. */
export const TELLS_ENV = "export default { fetch: (_request, { D1, ...env }) => Response.json(env) };\n";

export function secret(name: string, text: string): UploadBinding {
  return { kind: "secret", name, text };
}

export async function startDirect(
  options: { dataDir?: string; env?: Record<string, string> } = {},
): Promise<DirectAgent> {
  const dataDir = await realpath(options.dataDir ?? (await mkdtemp(join(tmpdir(), "wrkst-direct-"))));
  const port = await freePort();
  await createEmptyRepository(dataDir);
  const env = { HOST: "127.0.0.1", PORT: String(port), DATA_DIR: dataDir, LOG_LEVEL: "trace" };
  const config = parseConfig(
    { ...env, RUNTIME_HANG_TIMEOUT: PATIENCE, ...options.env },
    { folder: dataDir, memory: 2 ** 33, terminal: false },
  );
  const lines: string[] = [];
  const log = createLog({ level: "trace", format: "json", destination: { write: (line) => void lines.push(line) } });
  const environment = { PATH: process.env.PATH, HOME: dataDir };
  const agent = await openAgent({ ...config, environment }, log);
  await agent.started;
  const send = (host: string, path = "/", request: RequestOptions = {}) =>
    sendRequest(port, host.includes(".") ? host : `${host}.localhost`, path, request);
  const upload: DirectAgent["upload"] = (name, change, account) =>
    agent.deploys.upload(ref(name, account), uploadOf(change), { create: true }, ANN);
  return {
    agent,
    port,
    dataDir,
    output: () => lines.join(""),
    request: send,
    text: async (host, headers = {}) => (await send(host, "/", { headers })).text,
    upload,
    async deploy(name, change, account) {
      const version = await upload(name, change, account);
      const versions = [{ version: version.id, percentage: 100 }];
      await agent.deploys.deploy(ref(name, account), { versions, force: false }, ANN);
      return version;
    },
    sync: async (sync = {}) => (await agent.platform.sync("default", { ...sync, wait: true })) as PassReport,
    async stop() {
      await agent.close();
      if (options.dataDir === undefined) await rm(dataDir, { recursive: true, force: true });
    },
  };
}
