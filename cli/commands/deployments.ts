// `wrkst deployments` and `rollback`: what served when, and the way back.

import type { Command } from "commander";
import type { Deployment } from "../../agent/model.js";
import type { CloudflareDeployment } from "../answers.js";
import { Failure } from "../failure.js";
import type { Io } from "../io.js";
import { listDeployments, viewDeployment } from "../lists.js";
import { functionPath } from "../session.js";
import { printable, says, TEXT } from "../wording.js";
import { addCommand, addOfFunction, explainVersion, type OfFunction, openFunction, openOfVersion } from "./command.js";

export function addDeployments(program: Command, io: Io): void {
  addCommand(program, "deployments");
  addOfFunction(program, "deployments list").action(async (options: OfFunction) => {
    const { name, script, print } = await openFunction(options, io);
    const { deployments } = await script<{ deployments: CloudflareDeployment[] }>("GET", name, "deployments");
    print(deployments, listDeployments(deployments, io));
  });
  addOfFunction(program, "deployments status").action(async (options: OfFunction) => {
    const { name, script, print } = await openFunction(options, io);
    const { deployments } = await script<{ deployments: CloudflareDeployment[] }>("GET", name, "deployments");
    const [current] = deployments;
    if (!current) throw new Failure(says.neverDeployed(name));
    print(current, viewDeployment(current, io));
  });
}

interface RollbackOptions extends OfFunction {
  reason?: string;
  force?: boolean;
}

export function addRollback(program: Command, io: Io): void {
  addOfFunction(program, "rollback")
    .argument("[version]", TEXT.rollbackTo)
    .option("--reason <text>", TEXT.reason)
    .option("--force", TEXT.forceRollback)
    .action(async (to: string | undefined, { reason, force, ...options }: RollbackOptions) => {
      const meant = { command: "rollback", version: to } as const;
      const { name, client, print, warn } = await openOfVersion(options, io, meant);
      const body = { ...(to === undefined ? {} : { to }), ...(reason === undefined ? {} : { reason }) };
      const path = functionPath(name, `/rollback${force ? "?force=true" : ""}`);
      const asked = client.ask<Deployment>("POST", path, { body });
      const deployment = await explainVersion(asked, { ...meant, name });
      for (const { message } of deployment.warnings ?? []) warn(printable(message));
      print(deployment, says.rolledBack(name, deployment.from, deployment.to));
    });
}
