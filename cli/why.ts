// The answer to `why` as text for people. Pure.

import type { ErrorReport } from "../agent/errors.js";
import type { Deployment, FunctionState, PlatformEvent } from "../agent/model.js";
import { formatPairs, paintState } from "./table.js";
import type { ViewOptions } from "./views.js";
import { describeError, printable, says } from "./wording.js";

export interface Why {
  name: string;
  state: FunctionState;
  version: string | null;
  revision: string | null;
  decision: string;
  rule: string;
  next: string;
  lastEvent: PlatformEvent | null;
  lastDeployment: Deployment | null;
  error?: ErrorReport;
}

export function viewWhy(why: Why, { colour, now }: ViewOptions): string {
  const { lastEvent: event, lastDeployment: deployment, error } = why;
  return [
    `${printable(why.name)}  ${paintState(why.state, colour)}\n`,
    formatPairs([
      ["decision", why.decision],
      ["rule", why.rule],
      ["error", error && describeError(error)],
      ["hint", error?.hint],
      ["next", why.next],
      ["version", why.version],
      ["revision", why.revision],
      ["deployed", deployment && `${says.ago(now - deployment.at)}, ${deployment.cause}, by ${deployment.author}`],
      ["last event", event && `${says.ago(now - event.at)}, ${event.kind}: ${event.message}`],
    ]),
  ].join("");
}
