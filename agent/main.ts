// Wires everything and runs it: the agent process, from its configuration to its last line. Decides nothing by itself.
import { realpathSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { relative } from "node:path";
import { type Agent, openAgent } from "./agent.js";
import { bannerLines } from "./banner.js";
import { type Config, readConfig } from "./config.js";
import { reportOf } from "./errors.js";
import { createLog, type Log } from "./log.js";
import { VERSION } from "./version.js";

async function main(): Promise<void> {
  const config = readConfig();
  const log = createLog({ ...config.log, colour: process.stdout.isTTY === true });
  for (const warning of config.warnings) log.warn(warning);
  await mkdir(config.dataDir, { recursive: true, mode: 0o700 });
  const agent = await openAgent({ ...config, dataDir: realpathSync(config.dataDir) }, log);
  stopOnSignals(agent, log);
  await agent.started;
  await announce(agent, config, log);
}

async function announce(agent: Agent, config: Config, log: Log): Promise<void> {
  const status = await agent.platform.status();
  if (config.log.format === "json") {
    log.info({ url: agent.publicUrl, functions: status.functions.length }, "serving");
    return;
  }
  const tokenFile = agent.tokenFile && relative(process.cwd(), agent.tokenFile);
  const embedded = config.git.repo === undefined;
  const lines = bannerLines({ version: VERSION, publicUrl: agent.publicUrl, tokenFile, embedded, status });
  process.stdout.write(`${lines.join("\n")}\n`);
}

/** The first signal ends everything in order, a second one at once. */
function stopOnSignals(agent: Agent, log: Log): void {
  let stopping = false;
  const stop = (signal: NodeJS.Signals) => {
    if (stopping) process.exit(1);
    stopping = true;
    log.info(`${signal}: stopping`);
    agent.close().then(
      () => {
        log.info("stopped");
        process.exit(0);
      },
      (error: unknown) => {
        log.error({ err: reportOf(error) }, "stopping failed");
        process.exit(1);
      },
    );
  };
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);
}

main().catch((error: unknown) => {
  const { message, hint, code } = reportOf(error);
  process.stderr.write(`wrkst: error: ${message}\n${hint ? `wrkst: hint: ${hint}\n` : ""}`);
  if (code === "ERR_INTERNAL" && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  process.exit(1);
});
