// Shows beside the commits of a source what becomes of them, at its forge. Invariant: a pass is never held up or failed by it.

import { reportOf, WrkstError } from "../../errors.js";
import type {
  Actor,
  CommitStatus,
  CommitStatusDetail,
  CommitStatusRequest,
  PassReport,
  SourceDetail,
} from "../../model.js";
import {
  type AdmitTarget,
  isShownAlready,
  letterOf,
  outcomeOf,
  type Post,
  resolveSettings,
} from "../../notify/index.js";
import type { Sealing } from "../../secrets/sealing.js";
import type { NewEvent, Registry, StatusRecord } from "../../store/index.js";
import type { PassRun } from "../loop.js";
import { sealingOwner } from "../sources/credentials.js";
import type { Telling } from "../telling.js";
import { beginOf, endOf, isNews } from "./commit-words.js";
import type { Message, Outbox } from "./sending.js";

export interface CommitStatusesDeps {
  registry: Pick<Registry, "commitStatuses" | "addEvent">;
  sealing: Sealing;
  post: Post;
  admit: AdmitTarget;
  /** Page of a source that others can open; null: none. */
  pageOf(source: string): string | null;
  /** Owner of what a source declares. */
  accountOf(source: string): string | undefined;
  /** A pass of the source that looks at everything anew. */
  lookAt(source: string): void;
  /** Something is to be sent. */
  wake(): void;
  log: { warn(fields: object, message: string): void };
  now(): number;
}

export interface CommitStatuses extends Pick<Telling, "setCommitStatus" | "removeCommitStatus"> {
  readonly outbox: Outbox;
  /** The pass, with its beginning told. */
  watch(pass: PassRun): PassRun;
  passed(report: PassReport): void;
}

/** Name that tokens are sealed for. */
const TOKEN = "commit-status";

export function createCommitStatuses(deps: CommitStatusesDeps): CommitStatuses {
  const records = deps.registry.commitStatuses;
  /** Source → commit that its pass works on. */
  const working = new Map<string, string>();

  /** Nothing of it may reach the pass. */
  function want(source: string, commit: string, status: CommitStatus | undefined): void {
    try {
      if (!status || !records.settings(source) || !isNews(records.find({ source, commit }), status)) return;
      records.want({ source, commit }, status);
      deps.wake();
    } catch (error) {
      deps.log.warn({ source, err: reportOf(error) }, "the status of a commit could not be noted");
    }
  }

  return {
    ...createSetting(deps),
    outbox: createOutbox(deps),
    watch: (pass) => ({
      ...pass,
      observe(progress) {
        if (progress.kind === "planned" || progress.kind === "refused") {
          const { source, commit } = progress.revision;
          working.set(source, commit);
          if (progress.kind === "planned") want(source, commit, beginOf(progress));
        }
        pass.observe(progress);
      },
    }),
    passed(report) {
      const commit = working.get(report.source);
      working.delete(report.source);
      if (commit !== undefined) want(report.source, commit, endOf(report, deps.pageOf(report.source)));
    },
  };
}

function createSetting(deps: CommitStatusesDeps): Pick<Telling, "setCommitStatus" | "removeCommitStatus"> {
  const { registry, sealing } = deps;
  const records = registry.commitStatuses;

  /** A token that is kept goes where it went before, and nowhere else. */
  function keptToken(source: string, api: string): string {
    const before = records.settings(source);
    const sealed = records.token(source);
    if (before && sealed !== undefined && new URL(before.api).origin === new URL(api).origin) {
      return openToken(sealing, source, sealed);
    }
    throw new WrkstError("ERR_INVALID", "expected a token that may set the status of commits");
  }

  async function setCommitStatus(
    { name, settings: { repo } }: Pick<SourceDetail, "name" | "settings">,
    { token: given, ...asked }: CommitStatusRequest,
    by: Actor,
  ): Promise<CommitStatusDetail> {
    const settings = resolveSettings(asked, { name, repo });
    const token = given ?? keptToken(name, settings.api);
    await deps.admit(settings.api);
    records.save(name, settings, sealing.seal(sealingOwner(name), { [TOKEN]: token })[TOKEN]!);
    const message = `the status of commits of the source "${name}" is shown at ${settings.provider} by ${by.name}`;
    note(deps, name, { kind: "commit-status.set", message, actor: by });
    deps.lookAt(name);
    return settings;
  }

  return {
    setCommitStatus,
    removeCommitStatus(name, by) {
      if (!records.remove(name)) {
        throw new WrkstError("ERR_NOT_FOUND", `the status of commits of the source "${name}" is shown nowhere`);
      }
      const message = `the status of commits of the source "${name}" is shown no more, by ${by.name}`;
      note(deps, name, { kind: "commit-status.removed", message, actor: by });
    },
  };
}

function createOutbox(deps: CommitStatusesDeps): Outbox {
  const records = deps.registry.commitStatuses;
  const messages = (row: StatusRecord): Message[] => {
    const settings = records.settings(row.source);
    const sealed = records.token(row.source);
    if (!settings || sealed === undefined) return [];
    return [
      {
        ...{ lane: `commit-status ${row.source}`, kind: settings.provider, attempts: row.attempts, at: row.at },
        begin: () => records.begin(row),
        async send(signal) {
          const token = openToken(deps.sealing, row.source, sealed);
          const answer = await deps.post(letterOf({ ...row, settings, token }), signal);
          return isShownAlready(settings.provider, answer) ? { kind: "sent" } : outcomeOf(answer, deps.now());
        },
        again: (at) => records.again(row, at),
        end: (problem) => end(deps, row, problem),
      },
    ];
  };
  return { due: (now) => records.due(now).flatMap(messages), nextAt: (now) => records.nextAt(now) };
}

/** Said once until it is well again. */
function end(deps: CommitStatusesDeps, row: StatusRecord, problem: string | undefined): void {
  const { source } = row;
  const records = deps.registry.commitStatuses;
  const before = records.detail(source);
  records.end(row, problem);
  if (problem !== undefined && before?.problem === undefined) {
    const message = `${before?.provider} does not show the status of commits: ${problem}`;
    note(deps, source, { kind: "commit-status.failed", message });
  }
  if (problem === undefined && before?.problem !== undefined) {
    note(deps, source, {
      kind: "commit-status.recovered",
      message: `${before.provider} shows the status of commits again`,
    });
  }
}

function note({ registry, accountOf }: CommitStatusesDeps, source: string, event: NewEvent): void {
  const account = accountOf(source);
  registry.addEvent({ ...event, source, ...(account === undefined ? {} : { account }) });
}

function openToken(sealing: Sealing, source: string, sealed: string): string {
  return sealing.open(sealingOwner(source), { [TOKEN]: sealed })[TOKEN]!;
}
