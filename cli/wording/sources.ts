// What is said of sources and what they declare. Pure.

import type { ErrorReport } from "../../agent/errors.js";
import { describeError, printable } from "./printing.js";

export const saysOfSources = {
  stale: (ago: string) => `last successful fetch ${ago}: what serves may be old`,
  sourceAdded: (name: string) => `following "${name}"`,
  notFollowedYet: (error: ErrorReport) => {
    const hint = error.hint === undefined ? "" : `; ${error.hint}`;
    return printable(`${describeError(error)}: nothing serves until it is there${hint}`);
  },
  sourceEdited: (name: string) => `changed "${name}"`,
  confirmRemoval: (name: string) => `remove the source "${name}"?`,
  sourceRemoved: (name: string, kept: boolean) =>
    `removed the source "${name}"; its functions ${kept ? "stay" : 'are removed: "wrkst restore <function>" brings one back'}`,
  sourceResumed: (name: string, state: string) => `resumed the source "${name}", which is ${printable(state)}`,
  badInterval: (raw: string) => `expected a span such as "30s" or "5m", or "off", received "${raw}".`,
  badPruneLimit: (raw: string) => `expected a share such as "50%", a number, or "never", received "${raw}".`,
  webhookMade: (rotated: boolean) =>
    rotated ? "made a new secret; the one before is good no more\n" : "made a secret for this webhook\n",
  accepted: (source: string, job: string) =>
    `source "${source}": sync asked for, job ${job}; what came of it: wrkst why --source ${source}`,
  passed: (source: string, result: string, from: string, to: string, milliseconds: number) =>
    result === "switched" && from !== to
      ? `source "${source}": ${from} → ${to} in ${milliseconds} ms`
      : `source "${source}": ${result}${to === "-" ? "" : ` at ${to}`}`,
  seeWhy: (source: string, failed: string | undefined) =>
    failed === undefined ? `see: wrkst why --source ${source}` : `see: wrkst why ${failed}`,
  signedBy: (name: string, kind: "ssh" | "openpgp", fingerprint: string) =>
    `signed by ${name} (${kind === "ssh" ? "SSH" : "OpenPGP"} key ${fingerprint})`,
  wouldFail: (names: string[]) => `would fail: ${names.map(printable).join(", ")}`,
  wouldChange: (change: string, name: string) => `${change} ${printable(name)}`,
  compared: (from: string, to: string, changing: number, same: number) =>
    changing === 0
      ? `${from} → ${to}: nothing would change`
      : `${from} → ${to}: ${changing} ${changing === 1 ? "differs" : "differ"}, ${same} unchanged`,
};
