// Sources as text for people. Pure.

import type { SourceDetail, SourceSettings, SourceStatus } from "../agent/model.js";
import { formatPairs, formatTable, paintState } from "./table.js";
import type { ViewOptions } from "./views.js";
import { describeError, printable, says } from "./wording.js";

export function listSources(sources: SourceStatus[], options: ViewOptions): string {
  const rows = sources.map(({ name, repo, branch, path, state, lastFetch, error }) => ({
    cells: [
      ...[name, repo, branch, path || "-"].map(printable),
      paintState(state, options.colour),
      lastFetch === null ? "never" : says.ago(options.now - Date.parse(lastFetch)),
    ],
    below: error ? [`error: ${printable(describeError(error))}`] : [],
  }));
  return formatTable(["SOURCE", "REPOSITORY", "FOLLOWS", "PATH", "STATE", "FETCHED"], rows);
}

export function viewSource(source: SourceDetail, { colour, now }: ViewOptions): string {
  const { settings, suspension, error, lastFetch, branches } = source;
  const verify = settings.verify;
  return [
    `${printable(source.name)}  ${paintState(source.state, colour)}\n`,
    formatPairs([
      ["repository", settings.repo],
      ["follows", "branch" in settings.follow ? settings.follow.branch : `tags ${settings.follow.tags}`],
      ["path", settings.path || undefined],
      ["account", settings.account],
      ["revision", source.revision],
      ["fetched", lastFetch === null ? "never" : says.ago(now - Date.parse(lastFetch))],
      ["functions", String(source.functions)],
      ["interval", settings.interval === null ? "off" : `${settings.interval / 1000} s`],
      ["prune limit", pruneLimit(settings.prune)],
      ["atomic", settings.atomic ? "yes" : undefined],
      ["previews", settings.previews.join(", ") || undefined],
      ["previewed", branches.map(({ branch }) => branch).join(", ") || undefined],
      [
        "signed by",
        verify
          ? [verify.signers && "SSH keys", verify.keyring && "OpenPGP keys"].filter(Boolean).join(", ")
          : undefined,
      ],
      ["credentials", source.credentials.join(", ") || undefined],
      ["webhooks", source.webhooks.join(", ") || undefined],
      ["reported to", reportedTo(source)],
    ]),
    ...(suspension ? [`  ${printable(says.suspendedBy(suspension))}\n`] : []),
    ...(error ? [`  error: ${printable(describeError(error))}\n`] : []),
  ].join("");
}

function reportedTo({ commitStatus: to }: SourceDetail): string | undefined {
  return to && `${to.provider} as ${to.context}${to.problem === undefined ? "" : `: ${to.problem}`}`;
}

function pruneLimit(prune: SourceSettings["prune"]): string {
  return prune === "never" ? prune : `${prune.percent} % and more than ${prune.count}`;
}
