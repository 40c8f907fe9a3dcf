// The answer to `why` as text for people. Pure.

import type { Explanation, Hold, PassSummary, SourceExplanation } from "../agent/model.js";
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
      ["when", whenOf(why.nextAt, now)],
      ["version", why.version],
      ["declared", declared],
      ...holds.map((hold): [string, string] => ["held", describeHold(hold, now)]),
      ["revision", why.revision],
      ...databasePairs(why.databases),
      ["deployed", deployment && `${says.ago(now - deployment.at)}, ${deployment.cause}, by ${deployment.author}`],
      ["pass", passOf(why.pass, now)],
      ["last event", event && `${says.ago(now - event.at)}, ${event.kind}: ${event.message}`],
    ]),
  ].join("");
}

export function viewWhySource(why: SourceExplanation, { colour, now }: ViewOptions): string {
  const { lastEvent: event, error } = why;
  return [
    `source ${printable(why.name)}  ${paintState(why.state, colour)}\n`,
    formatPairs([
      ["decision", why.decision],
      ["rule", why.rule],
      ["error", error && describeError(error)],
      ["next", why.next],
      ["when", whenOf(why.nextAt, now)],
      ["revision", why.revision],
      ["fetched", why.lastFetch === null ? "never" : says.ago(now - Date.parse(why.lastFetch))],
      ["pass", passOf(why.pass, now)],
      ["last event", event && `${says.ago(now - event.at)}, ${event.kind}: ${event.message}`],
      ...why.drift.map(({ name, drift }): [string, string] => [
        "differs",
        `${name}, ${drift.reason}: ${drift.because}`,
      ]),
    ]),
  ].join("");
}

function whenOf(at: number | undefined, now: number): string | undefined {
  return at === undefined ? undefined : `${says.ahead(at - now)}, ${new Date(at).toISOString()}`;
}

/** `4 s ago, push by Ada, 120 ms: bundle 80, load 21`. */
function passOf(pass: PassSummary | undefined, now: number): string | undefined {
  if (!pass) return undefined;
  const phases = Object.entries(pass.phases).map(([phase, milliseconds]) => `${phase} ${Math.round(milliseconds)}`);
  const head = [says.ago(now - pass.at), `${pass.cause} by ${pass.author}`, `${Math.round(pass.milliseconds)} ms`];
  return `${head.join(", ")}${phases.length ? `: ${phases.join(", ")}` : ""}`;
}

/** `latest at 1a2b3c4d, pin by Ada, 2 h ago, until 2027-01-31T00:00:00.000Z: fair this week`. */
function describeHold(hold: Hold, now: number): string {
  const { alias, version, kind, author, createdAt, expiresAt, reason, declared } = hold;
  if (declared) {
    return `at ${version.slice(0, 8)}, ${printable(says.pinnedIn({ alias, ...declared }))}`;
  }
  const until = expiresAt === undefined ? [] : [`until ${new Date(expiresAt).toISOString()}`];
  const what = kind === "suspension" ? "every alias" : `${alias} at ${version.slice(0, 8)}`;
  const parts = [what, `${kind} by ${author}`, says.ago(now - createdAt), ...until];
  return parts.join(", ") + (reason === undefined ? "" : `: ${reason}`);
}
