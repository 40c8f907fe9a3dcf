// `wrkst source report`: the state of a source's commits, shown at its forge. Invariant: the token is never an argument.

import { type Command, Option } from "commander";
import type { CommitStatusDetail } from "../../agent/model.js";
import type { Io } from "../io.js";
import { askSecret } from "../prompt.js";
import { type Common, openSession } from "../session.js";
import { formatPairs } from "../table.js";
import { says, TEXT } from "../wording.js";
import { addAsking } from "./command.js";

interface ReportOptions extends Common {
  provider?: string;
  api?: string;
  repository?: string;
  context?: string;
  username?: string;
  tokenStdin?: boolean;
  off?: boolean;
}

const OPTIONS = ["provider", "api", "repository", "context", "username", "tokenStdin"] as const;

/** Below the command `source`. */
export function addSourceReport(program: Command, io: Io): void {
  addAsking(program, "source report")
    .argument("<source>", TEXT.source)
    .addOption(
      new Option("--provider <forge>", TEXT.forge).choices(["github", "gitlab", "gitea", "forgejo", "bitbucket"]),
    )
    .option("--api <address>", TEXT.forgeApi)
    .option("--repository <path>", TEXT.forgeRepository)
    .option("--context <name>", TEXT.forgeContext)
    .option("--username <name>", TEXT.forgeUsername)
    .option("--token-stdin", TEXT.forgeToken)
    .addOption(new Option("--off", TEXT.reportOff).conflicts([...OPTIONS]))
    .action(async (source: string, { off, ...options }: ReportOptions) => {
      const { client, print, confirm } = openSession(options, io);
      const path = `/api/v1/sources/${encodeURIComponent(source)}/commit-status`;
      if (off) {
        await client.ask("DELETE", path);
        return confirm({ source, reported: false }, says.reportEnded(source));
      }
      const { provider, api, repository, context, username, tokenStdin } = options;
      const token = tokenStdin ? (await askSecret(TEXT.askToken, io, TEXT.pipeForgeToken)).trim() : undefined;
      const told = Object.entries({ provider, api, repository, context, username, token });
      const body = Object.fromEntries(told.filter(([, value]) => value !== undefined));
      const detail = await client.ask<CommitStatusDetail>("PUT", path, { body });
      print(detail, viewReporting(detail));
    });
}

function viewReporting({ provider, api, repository, context, username }: CommitStatusDetail): string {
  return formatPairs([
    ["forge", provider],
    ["api", api],
    ["repository", repository],
    ["context", context],
    ["username", username],
  ]);
}
