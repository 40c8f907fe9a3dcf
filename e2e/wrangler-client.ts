// The stock wrangler, unmodified, as a client of a test agent: nothing but three variables lead it to the server.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { WRANGLER } from "../agent/bundle/test-wrangler.js";

export interface Ran {
  code: number | null;
  /** stdout and stderr, without colours. */
  output: string;
  stdout: string;
}

export interface WranglerProject {
  readonly dir: string;
  /** Runs a command in the project's folder. */
  run(args: string[], options?: { input?: string; token?: string; account?: string }): Promise<Ran>;
  write(files: Record<string, string | Uint8Array>): Promise<void>;
  remove(): Promise<void>;
}

/** A folder with these files, and a home of its own. */
export async function createProject(
  server: { publicUrl: string; token: string },
  files: Record<string, string | Uint8Array>,
): Promise<WranglerProject> {
  const root = await mkdtemp(join(tmpdir(), "wrkst-wrangler-"));
  const dir = join(root, "project");
  const write = async (written: typeof files) => {
    for (const [path, content] of Object.entries(written)) {
      await mkdir(dirname(join(dir, path)), { recursive: true });
      await writeFile(join(dir, path), content);
    }
  };
  await write(files);
  return {
    dir,
    write,
    async run(args, { input, token = server.token, account = "main" } = {}) {
      const child = spawn(process.execPath, [...WRANGLER, ...args], {
        cwd: dir,
        env: {
          ...{ PATH: process.env.PATH, HOME: root, XDG_CONFIG_HOME: join(root, "config"), CI: "1", NO_COLOR: "1" },
          CLOUDFLARE_API_BASE_URL: `${server.publicUrl}/client/v4`,
          CLOUDFLARE_API_TOKEN: token,
          CLOUDFLARE_ACCOUNT_ID: account,
          WRANGLER_SEND_METRICS: "false",
          // No question to a registry whether there is a newer one.
          WRANGLER_HIDE_BANNER: "true",
        },
      });
      let output = "";
      let stdout = "";
      child.stdout.on("data", (chunk) => {
        stdout += chunk;
        output += chunk;
      });
      child.stderr.on("data", (chunk) => {
        output += chunk;
      });
      child.stdin.end(input);
      const [code] = await once(child, "close");
      return { code, output, stdout };
    },
    remove: () => rm(root, { recursive: true, force: true }),
  };
}

/** A wrangler file of that name and a module that answers the text. */
export function helloFiles(name: string, text: string, more = ""): Record<string, string> {
  return {
    "wrangler.toml": `name = "${name}"\nmain = "src/index.js"\ncompatibility_date = "2026-04-01"\n${more}`,
    "src/index.js": `export default { fetch: () => new Response(${JSON.stringify(text)}) };\n`,
  };
}
