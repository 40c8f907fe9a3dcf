// Decides how traffic may be moved by hand: shares, what git allows, where a rollback leads. Pure.
import { WrkstError } from "../errors.js";
import type { Deployment, DeploymentCause, Hold, TrafficSplit, Version } from "../model.js";
import { invalid } from "./names.js";

/** One or two different versions whose shares, of at most three decimals, sum to 100. @throws WrkstError ERR_INVALID */
export function checkSplit(versions: TrafficSplit): void {
  if (versions.length < 1 || versions.length > 2) {
    throw invalid(`expected one or two versions, received ${versions.length}`);
  }
  const shares = versions.map(({ percentage }) => thousandths(percentage));
  if (shares.reduce((total, share) => total + share, 0) !== 100_000) {
    const received = versions.map(({ percentage }) => percentage).join(" + ");
    throw invalid(`expected percentages that sum to 100, received ${received}`);
  }
  if (new Set(versions.map(({ version }) => version)).size !== versions.length) {
    throw invalid("expected two different versions, received one twice");
  }
}

function thousandths(percentage: number): number {
  const share = Math.round(percentage * 1_000);
  const isExact = Number.isFinite(percentage) && Math.abs(share - percentage * 1_000) < 1e-6;
  if (isExact && percentage >= 0 && percentage <= 100) return share;
  throw invalid(`expected a percentage from 0 to 100 with at most three decimals, received ${percentage}`);
}

/** The version with the greatest share, of equals the first. */
export function greatest(versions: TrafficSplit): string {
  const most = versions.reduce((best, next) => (next.percentage > best.percentage ? next : best));
  return most.version;
}

/** What is known of a function when somebody moves its `latest`. */
export interface Standing {
  name: string;
  source: string | null;
  latest: string | null;
  /** Version that git gave last. */
  declared: string | null;
  hold: Hold | undefined;
}

/** What is moved to. */
export interface Goal {
  versions: Pick<Version, "id" | "upload">[];
  /** An upload that was made before the one that serves. */
  isOlder: boolean;
  force: boolean;
}

/** How a move is recorded: its cause, the hold that it makes, or that the present hold ends. */
export interface Move {
  cause: DeploymentCause;
  hold?: Pick<Hold, "kind" | "rejected">;
  release?: true;
}

/**
 * What moving `latest` to the versions means. Of a function that git declares: an older version of git is a rollback, the one
 * that git gave last ends the hold, and anything else is a pin, if forced.
 * @throws WrkstError ERR_GIT_OWNED, ERR_CONFLICT where a pin of a directly deployed function is in the way
 */
export function moveOf(standing: Standing, goal: Goal): Move {
  const { name, source, declared, hold } = standing;
  if (source === null) return moveOfDirect(name, hold, goal);
  const { versions, force } = goal;
  const [only] = versions;
  if (versions.length === 1 && only && !only.upload) {
    if (only.id === declared) return hold ? { cause: "unpin", release: true } : { cause: "api" };
    return rollbackOf(standing);
  }
  if (force) return { cause: "pin", hold: { kind: "pin" } };
  throw new WrkstError("ERR_GIT_OWNED", `"${name}" is declared by the source "${source}", which moves it by a push`, {
    hint: `push the change to the source, set another alias, or force it, which is a pin: wrkst deploy --force`,
  });
}

function moveOfDirect(name: string, hold: Hold | undefined, { isOlder, force }: Goal): Move {
  const cause = isOlder ? "rollback" : "api";
  if (!hold) return { cause };
  if (force) return { cause, release: true };
  throw new WrkstError("ERR_CONFLICT", `"${name}" is held at version ${hold.version.slice(0, 8)} by ${hold.author}`, {
    hint: `release it first: wrkst unpin ${name}`,
  });
}

/** A rollback of a function that git declares remembers what git wants instead; of another it is a move like any. */
export function rollbackOf({ source, declared, latest }: Standing): Move {
  if (source === null) return { cause: "rollback", release: true };
  const rejected = declared ?? latest;
  return { cause: "rollback", hold: { kind: "rollback", ...(rejected === null ? {} : { rejected }) } };
}

/** The version that served before the present one, rollbacks aside: a second rollback goes further back. `deployments`: newest first. */
export function versionBefore(latest: string | null, deployments: Deployment[]): string | undefined {
  const forward = deployments
    .filter(({ cause, split }) => cause !== "rollback" && cause !== "unpin" && !split)
    .flatMap(({ to }) => to ?? []);
  const from = latest === null ? -1 : forward.indexOf(latest);
  return forward.slice(from + 1).find((version) => version !== latest);
}

/** Names of the secrets that are not the same in both, sorted. */
export function changedSecrets(a: Record<string, string>, b: Record<string, string>): string[] {
  const names = new Set([...Object.keys(a), ...Object.keys(b)]);
  return [...names].filter((name) => a[name] !== b[name]).sort();
}
