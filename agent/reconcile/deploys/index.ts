// Implements `Deploys`: whoever changes a function takes turns with all others who change it.
import type { Deploys } from "../deploys.js";
import { DeployContext, type DeploysDeps } from "./context.js";
import { createHolding } from "./holding.js";
import { createMoving } from "./moving.js";
import { createOwning } from "./owning.js";
import { createReading } from "./reading.js";
import { createReleasing } from "./releasing.js";
import { createSuspending } from "./suspending.js";
import { createTrying } from "./trying.js";
import { createUploading } from "./uploading.js";

export type { DeploysDeps } from "./context.js";

export type TrialMoves = Omit<ReturnType<typeof createTrying>, "promote">;

/** What the platform does by itself: ends holds whose time is over, conducts trials. */
export interface DeploysByItself extends TrialMoves {
  releaseExpired(): Promise<number | undefined>;
}

export function createDeploys(deps: DeploysDeps): Deploys & DeploysByItself {
  const context = new DeployContext(deps);
  const reading = createReading(context);
  const uploading = createUploading(context, reading);
  const moving = createMoving(context);
  const releasing = createReleasing(context);
  const holding = createHolding(context, { reading, moving, releasing });
  const suspending = createSuspending(context, releasing);
  const owning = createOwning(context, reading);
  const { promote, ...trialMoves } = createTrying(context, moving);
  const { turns } = deps;
  const { versions, version, bundle, deployments, aliases, holds, secrets, settings } = reading;
  return {
    ...{ versions, version, bundle, deployments, aliases, holds, secrets, settings },
    upload: (of, upload, options, by) => turns.of(of.name, () => uploading.upload(of, upload, options, by)),
    deploy: (of, request, by) => turns.of(of.name, () => moving.deploy(of, request, by)),
    rollback: (of, request, by) => turns.of(of.name, () => moving.rollback(of, request, by)),
    promote: (of, by) => turns.of(of.name, () => promote(of, by)),
    ...trialMoves,
    setAlias: (of, alias, to, by) => turns.of(of.name, () => holding.setAlias(of, alias, to, by)),
    deleteAlias: (of, alias, by) => turns.of(of.name, () => holding.deleteAlias(of, alias, by)),
    pin: (of, alias, request, by) => turns.of(of.name, () => holding.pin(of, alias, request, by)),
    unpin: (of, alias, by) => turns.of(of.name, () => holding.unpin(of, alias, by)),
    suspend: (of, request, by) => turns.of(of.name, () => suspending.suspend(of, request, by)),
    resume: (of, by) => turns.of(of.name, () => suspending.resume(of, by)),
    setSecrets: (of, changes, options, by) => turns.of(of.name, () => owning.setSecrets(of, changes, options, by)),
    setSettings: (of, changes, by) => turns.of(of.name, () => owning.setSettings(of, changes, by)),
    setHosts: (of, asked, by) => turns.of(of.name, () => owning.setHosts(of, asked, by)),
    remove: (of, options, by) => turns.of(of.name, () => owning.remove(of, options, by)),
    releaseExpired: () => releasing.releaseExpired((name, work) => turns.of(name, work)),
  };
}
