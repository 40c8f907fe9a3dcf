// What a pass means for the commit that it worked on, in one state and one sentence. Pure.

import { formatError } from "../../errors.js";
import type { CommitStatus, PassProgress, PassReport } from "../../model.js";
import { isLoopbackUrl } from "../../model-access.js";
import { countsOf } from "../report.js";

/** Words about one commit; beyond, nothing but another state is news. */
const MOST_WORDS = 100;

/** What is said when the pass begins to work; undefined where nothing of the commit changes anything. */
export function beginOf({ changed, removed }: PassProgress & { kind: "planned" }): CommitStatus | undefined {
  const changes = changed + removed;
  if (changes === 0) return undefined;
  return { state: "pending", description: `deploying ${counted(changes, "change")}`, link: null };
}

/** What is said at its end; undefined where nothing came of it that is for this commit. */
export function endOf(report: PassReport, sourcePage: string | null): CommitStatus | undefined {
  const { error, functions, result } = report;
  if (result === "superseded") return undefined;
  if (error) return { state: "failure", description: plain(error.message), link: sourcePage };
  const failed = functions.filter((outcome) => outcome.error);
  const [first] = failed;
  if (first?.error) {
    const reason = `${failed.length} of ${counted(functions.length, "function")} failed: ${first.name}: ${formatError(first.error)}`;
    return { state: "failure", description: plain(reason), link: sourcePage };
  }
  const changed = functions.find((outcome) => outcome.result !== "unchanged" && outcome.url);
  return { state: "success", description: countsOf(functions), link: openable(changed?.url) ?? sourcePage };
}

/** Whether it is worth saying after what was said of the commit before. */
export function isNews(before: (CommitStatus & { generation: number }) | undefined, wanted: CommitStatus): boolean {
  if (!before) return true;
  if (wanted.state === "pending") return false;
  if (wanted.state !== before.state) return true;
  return wanted.state === "failure" && wanted.description !== before.description && before.generation < MOST_WORDS;
}

/** The address where others than this machine can open it. */
export function openable(url: string | undefined): string | undefined {
  return url === undefined || isLoopbackUrl(url) ? undefined : url;
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** One line without what a page would act on. */
function plain(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f]+/g, " ").trim();
}
