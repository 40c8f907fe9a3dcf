// A repository over HTTP that the bench serves itself, in its own process, so that what it costs is nobody else's.
import { execFile } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import { join } from "node:path";
import { promisify } from "node:util";
import { openGitHandler } from "../agent/source/git-http.js";
import type { Scope } from "./scope.js";

const run = promisify(execFile);

export interface Forge {
  /** Folder of the bare repository. */
  bare: string;
  url: string;
  /** How often somebody began to ask it. */
  looks(): number;
}

/** @param from the repository that it is a copy of */
export async function startForge(scope: Scope, from: string): Promise<Forge> {
  const folder = await scope.folder();
  const bare = join(folder, "remote.git");
  await run("git", ["clone", "--quiet", "--bare", from, bare]);
  const git = openGitHandler({ dir: bare, hooksDir: folder, onPush: async () => {} });
  let looks = 0;
  const server = createServer((req, res) => {
    if (req.method === "GET") looks++;
    git.handle(req, res, (req.url ?? "").split("?")[0] ?? "", "bench");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  scope.defer(async () => {
    await git.close();
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as { port: number };
  return { bare, url: `http://127.0.0.1:${port}/remote.git`, looks: () => looks };
}
