// What the start says to a person: where it serves, how to push, where the token lies. Pure.
import type { Status } from "./model.js";

export interface BannerParts {
  version: string;
  publicUrl: string;
  /** Path of the admin token, or undefined when it is off. */
  tokenFile: string | undefined;
  /** The embedded repository is followed. */
  embedded: boolean;
  status: Status;
}

const MOST_LISTED = 12;

export function bannerLines({ version, publicUrl, tokenFile, embedded, status }: BannerParts): string[] {
  const [source] = status.sources;
  const serving = status.functions.filter((entry) => entry.version !== null);
  const failed = status.functions.filter((entry) => entry.error !== undefined);
  return [
    "",
    `wrkst ${version} serves at ${publicUrl}`,
    "",
    ...serving.slice(0, MOST_LISTED).map((entry) => row(entry.name, entry.url)),
    ...(serving.length > MOST_LISTED ? [`  … and ${serving.length - MOST_LISTED} more: wrkst status`] : []),
    ...(serving.length === 0 ? ["  no function serves yet"] : []),
    ...failed.map((entry) => row(entry.name, `${entry.state}: ${entry.error?.message}`)),
    "",
    ...(embedded
      ? [row("push", `git remote add wrkst ${publicUrl}/git/functions.git && git push wrkst main`)]
      : [row("follows", `${source?.repo} (${source?.branch})`)]),
    ...(tokenFile ? [row("token", `${tokenFile} (any user name, the token as password)`)] : []),
    row("status", "npx wrkst status"),
    "",
  ];
}

function row(name: string, rest: string): string {
  return `  ${name.padEnd(12)}  ${rest}`;
}
