// The command line: from its start to its end when it only says its version, and a whole deploy without a server.
import { execFile } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { functionFiles } from "../../e2e/harness.js";
import type { Finding } from "../report.js";
import type { Scope } from "../scope.js";
import { summarize } from "../statistics.js";
import { against, atMost, type Row } from "./row.js";

const run = promisify(execFile);
const WRKST = fileURLToPath(new URL("../../../cli/bin/wrkst.mjs", import.meta.url));
const WRANGLER = join(dirname(createRequire(import.meta.url).resolve("wrangler/package.json")), "bin/wrangler.js");
/** A process is short, and the machine does other things too. */
const TURNS = 4;

export const start: Row = {
  name: "start",
  about: "wrkst --version and wrkst deploy --dry-run, beside wrangler and node alone",
  async run({ scope, rounds, say }) {
    const cwd = await functionFolder(scope);
    const time = timer(cwd);
    const version = await alternate(rounds * TURNS, {
      node: () => time(["-e", "0"]),
      wrkst: () => time([WRKST, "--version"]),
      wrangler: () => time([WRANGLER, "--version"]),
    });
    say("starts done");
    const dryRun = await alternate(rounds, {
      wrkst: () => time([WRKST, "deploy", "--dry-run"]),
      wrangler: () => time([WRANGLER, "deploy", "--dry-run", "--outdir", "out"]),
    });
    return [findingOf("wrkst --version", version, 100), findingOf("wrkst deploy --dry-run", dryRun)];
  },
};

async function functionFolder(scope: Scope): Promise<string> {
  const folder = await scope.folder();
  for (const [path, content] of Object.entries(functionFiles("hello", "hello", "."))) {
    await writeFile(join(folder, path), content);
  }
  await mkdir(join(folder, "home"));
  return folder;
}

/** Milliseconds that node takes with the arguments. */
function timer(cwd: string) {
  const env = { ...process.env, HOME: join(cwd, "home"), WRANGLER_SEND_METRICS: "false", CI: "1" };
  return async (args: string[]): Promise<number> => {
    const begin = performance.now();
    await run(process.execPath, args, { cwd, env });
    return performance.now() - begin;
  };
}

type Sides<Name extends string> = Record<Name, () => Promise<number>>;

/** In turns; the first turn fills the caches of the disk and is not counted. */
async function alternate<Name extends string>(turns: number, sides: Sides<Name>): Promise<Record<Name, number[]>> {
  const names = Object.keys(sides) as Name[];
  const times = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<Name, number[]>;
  for (let turn = 0; turn <= turns; turn++) {
    for (const name of names) {
      const taken = await sides[name]();
      if (turn > 0) times[name].push(taken);
    }
  }
  return times;
}

function findingOf(
  measure: string,
  { wrkst, wrangler, node }: { wrkst: number[]; wrangler: number[]; node?: number[] },
  limit?: number,
): Finding {
  const ours = summarize(wrkst);
  return {
    ...{ measure, unit: "ms", ours, peer: against("wrangler", wrkst, wrangler) },
    ...(limit === undefined ? {} : { target: atMost(ours, limit, "ms") }),
    ...(node ? { details: { "node alone": summarize(node).median } } : {}),
  };
}
