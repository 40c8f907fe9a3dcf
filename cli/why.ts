// The answer to `why` as text for people. Pure.

import type { Explanation, Hold } from "../agent/model.js";
import { formatPairs, paintState } from "./table.js";
import { databasePairs, type ViewOptions } from "./views.js";
import { describeError, printable, says } from "./wording.js";

export function viewWhy(why: Explanation, { colour, now }: ViewOptions): string {
  const { lastEvent: event, lastDeployment: deployment, error, holds, declared } = why;
  return [
    `${printable(why.name)}  ${paintState(why.state, colour)}\n`,
    formatPairs([
      ["decision", why.decision],
      ["rule", why.rule],
      ["error", error && describeError(error)],
      ["hint", error?.hint],
      ["next", why.next],
      ["version", why.version],
      ["declared", declared],
      ...holds.map((hold): [string, string] => ["held", describeHold(hold, now)]),
      ["revision", why.revision],
      ...databasePairs(why.databases),
      ["deployed", deployment && `${says.ago(now - deployment.at)}, ${deployment.cause}, by ${deployment.author}`],
      ["last event", event && `${says.ago(now - event.at)}, ${event.kind}: ${event.message}`],
    ]),
  ].join("");
}

/** `latest at 1a2b3c4d, pin by Ada, 2 h ago, until 2027-01-31T00:00:00.000Z: fair this week`. */
function describeHold(hold: Hold, now: number): string {
  const { alias, version, kind, author, createdAt, expiresAt, reason } = hold;
  const until = expiresAt === undefined ? [] : [`until ${new Date(expiresAt).toISOString()}`];
  const what = kind === "suspension" ? "every alias" : `${alias} at ${version.slice(0, 8)}`;
  const parts = [what, `${kind} by ${author}`, says.ago(now - createdAt), ...until];
  return parts.join(", ") + (reason === undefined ? "" : `: ${reason}`);
}
