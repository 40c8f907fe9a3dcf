// Why a function is as it is: what happened last, what was decided, by which rule, what comes next. Pure.

import type { Explanation, Hold, PlatformEvent } from "../model.js";
import type { FunctionDetail } from "./platform.js";

export interface Known {
  function: FunctionDetail;
  holds: Hold[];
  lastEvent: PlatformEvent | undefined;
}

export function explain({ function: found, holds, lastEvent }: Known): Explanation {
  const { name, state, version, revision, declared, databases, error } = found;
  return {
    ...{ name, state, version, revision, holds },
    ...reasonOf(found, holds),
    lastEvent: lastEvent ?? null,
    lastDeployment: found.deployments[0] ?? null,
    ...(declared === undefined ? {} : { declared }),
    ...(databases ? { databases } : {}),
    ...(error ? { error } : {}),
  };
}

type Reason = Pick<Explanation, "decision" | "rule" | "next">;

function reasonOf(found: FunctionDetail, holds: Hold[]): Reason {
  const hold = holds.find(({ alias }) => alias === "latest");
  const { name } = found;
  switch (found.state) {
    case "ready":
      return found.source === null
        ? reason("the version that was deployed last serves", "no source declares the function", "nothing to do")
        : reason("the newest revision serves", "what serves is what git declares", "nothing to do");
    case "pending":
      return reason("a version is on its way", "a version must load before it can serve", "wait for the pass");
    case "pinned":
      return reason(`a person holds it${because(hold)}`, "a pin wins over git", `release it: wrkst unpin ${name}`);
    case "rolled-back":
      return reason(
        `a person went back${because(hold)}`,
        "a rollback lasts until git brings another version than the rejected one",
        `push a mended version, or release it: wrkst unpin ${name}`,
      );
    case "gradual":
      return reason("two versions share the traffic", "a deployment divided it", "deploy one of them at 100 %");
    case "failed":
      if (found.version === null)
        return reason("nothing serves yet", "a version must load before it can serve", "mend it and push");
      return reason("the last good version goes on serving", "a broken push takes nothing down", "mend it and push");
    case "suspended":
      return reason("nothing moves", "a person suspended it", "resume it");
    case "quarantined":
      return reason(
        "requests are refused",
        "a version that hangs the runtime is taken out of service",
        `push a new version, or release it: wrkst resume ${name}`,
      );
    case "name-taken":
      return reason("another function has the name", "names are global, the first one keeps it", "choose another name");
    case "removed":
      return reason("nothing serves", "it was removed", `bring it back: wrkst restore ${name}`);
  }
}

function because(hold: Hold | undefined): string {
  if (!hold) return "";
  return hold.reason === undefined ? `, by ${hold.author}` : `, by ${hold.author}: ${hold.reason}`;
}

function reason(decision: string, rule: string, next: string): Reason {
  return { decision, rule, next };
}
