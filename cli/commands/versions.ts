// `wrkst versions`: what could serve, and how the traffic is divided among it.

import { type Command, InvalidArgumentError } from "commander";
import type { CloudflareDeployment, Version } from "../answers.js";
import type { Io } from "../io.js";
import { listVersions, viewSplit, viewVersion } from "../lists.js";
import { TEXT } from "../wording.js";
import { addCommand, addOfFunction, type OfFunction, openFunction } from "./command.js";
import { addUpload } from "./deploy.js";

interface Share {
  version_id: string;
  percentage: number;
}

export function addVersions(program: Command, io: Io): void {
  addCommand(program, "versions");
  addOfFunction(program, "versions list").action(async (options: OfFunction) => {
    const { name, script, print } = await openFunction(options, io);
    const { items } = await script<{ items: Version[] }>("GET", name, "versions");
    print(items, listVersions(items, io));
  });
  addOfFunction(program, "versions view")
    .argument("<version>", TEXT.version)
    .action(async (wanted: string, options: OfFunction) => {
      const { name, script, print } = await openFunction(options, io);
      const version = await script<Version>("GET", name, `versions/${encodeURIComponent(wanted)}`);
      print(version, viewVersion(version, io));
    });
  addUpload(program, io);
  addOfFunction(program, "versions deploy")
    .argument("<version[@percentage]...>", TEXT.shares)
    .option("--message <text>", TEXT.message)
    .option("--force", TEXT.forceDeploy)
    .action(async (shares: string[], options: OfFunction & { message?: string; force?: boolean }) => {
      const versions = parseShares(shares);
      const { name, script, print } = await openFunction(options, io);
      const annotations = options.message === undefined ? {} : { "workers/message": options.message };
      const body = { strategy: "percentage", versions, annotations };
      const path = `deployments${options.force ? "?force=true" : ""}`;
      const deployment = await script<CloudflareDeployment>("POST", name, path, { body });
      print(deployment, viewSplit(name, deployment.versions));
    });
}

/** `a@10 b@90`; who names no percentage gets an equal part of what is left. */
function parseShares(raw: string[]): Share[] {
  const parsed = raw.map((text) => {
    const [, version, percentage] = /^([^@]+?)(?:@(\d{1,3}(?:\.\d{1,3})?)%?)?$/.exec(text) ?? [];
    if (version === undefined) throw new InvalidArgumentError(`expected version@percentage, received "${text}".`);
    return { version_id: version, percentage: percentage === undefined ? undefined : Number(percentage) };
  });
  const open = parsed.filter(({ percentage }) => percentage === undefined).length;
  const left = 100 - parsed.reduce((sum, { percentage = 0 }) => sum + percentage, 0);
  const part = open ? Math.round((left / open) * 1000) / 1000 : 0;
  return parsed.map(({ version_id, percentage = part }) => ({ version_id, percentage }));
}
