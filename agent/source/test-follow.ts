// Sources over real repositories, for the tests of this folder: in a folder of this machine, or at a forge over http.
import { createServer, type Server } from "node:http";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { openEmbedded } from "./embedded.js";
import { openSource, type Source, type SourceOptions } from "./follow.js";
import { openGitHandler } from "./git-http.js";
import { bareRepository, temporaryFolder } from "./test-repository.js";

export const signal = new AbortController().signal;

export async function follow(
  t: TestContext,
  options: Partial<SourceOptions> & Pick<SourceOptions, "repo" | "gitDir">,
): Promise<Source> {
  const source = await openSource({
    name: "default",
    follow: { branch: "main" },
    path: "",
    local: true,
    pollInterval: 0,
    ...options,
  });
  t.after(() => source.close());
  return source;
}

export async function localRepository(t: TestContext, options: Partial<SourceOptions> = {}) {
  const root = await temporaryFolder(t);
  const repo = await bareRepository(join(root, "repo.git"));
  const gitDir = join(root, "mirrors");
  const source = await follow(t, { repo, gitDir, ...options });
  return { root, repo, gitDir, source, mirror: join(gitDir, "default.git") };
}

export async function text(source: Source, id: string, path: string): Promise<string> {
  return Buffer.from((await (await source.snapshot(id)).read(path)) ?? "(none)").toString();
}

export interface Forge {
  url: string;
  repo: string;
  requests: string[];
  server: Server;
}

/** A forge over HTTP that wants a token. */
export async function forge(t: TestContext, token?: string): Promise<Forge> {
  const root = await temporaryFolder(t);
  const repo = join(root, "functions.git");
  await openEmbedded({ dir: repo, hooksDir: join(root, "hooks") });
  const handler = openGitHandler({ dir: repo, hooksDir: join(root, "hooks"), onPush: async () => {} });
  const requests: string[] = [];
  const expected = token && `Basic ${Buffer.from(`git:${token}`).toString("base64")}`;
  const server = createServer((req, res) => {
    requests.push(`${req.method} ${req.url}`);
    if (expected && req.headers.authorization !== expected) {
      res.writeHead(401, { "WWW-Authenticate": 'Basic realm="forge"' }).end();
      return;
    }
    handler.handle(req, res, (req.url ?? "").replace(/\?.*$/, ""), "reader");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(async () => {
    await handler.close();
    server.closeAllConnections();
    server.close();
  });
  return {
    url: `http://127.0.0.1:${(server.address() as { port: number }).port}/functions.git`,
    repo,
    requests,
    server,
  };
}
