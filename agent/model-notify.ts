// The words of telling others: what a forge shows beside a commit, receivers of notifications and what they hear. Types and
// pure functions; model.ts hands them on.

import type { PlatformEvent } from "./model.js";
/** Forges whose interface for the status of a commit is spoken. */
export const FORGES = ["github", "gitlab", "gitea", "forgejo", "bitbucket"] as const;
export type Forge = (typeof FORGES)[number];

/** Where the statuses of a source's commits go. */
export interface CommitStatusSettings {
  provider: Forge;
  /** Address that the paths of the forge's interface are below, without slash at the end. */
  api: string;
  /** `owner/name`; of GitLab with all groups; of Bitbucket Data Center `PROJECT/name`. */
  repository: string;
  /** What the forge calls the status. */
  context: string;
  /** Of Bitbucket, where the token is a password for it. */
  username?: string;
}

/** As the API shows it. Times are milliseconds since 1970. */
export interface CommitStatusDetail extends CommitStatusSettings {
  /** When the forge last took one. */
  sentAt?: number;
  /** Why the last one was not taken. */
  problem?: string;
}

/** What an administrator says; what is absent is derived from the repository's address. */
export interface CommitStatusRequest extends Partial<CommitStatusSettings> {
  /** Absent: the one that is set. */
  token?: string;
}

/** `superseded`: a newer commit took over before this one was done. */
export type CommitState = "pending" | "success" | "failure" | "superseded";

/** What a forge is to show beside a commit. */
export interface CommitStatus {
  state: CommitState;
  /** One sentence. */
  description: string;
  /** null: there is no page that anybody could open. */
  link: string | null;
}

/** `slack`: an incoming webhook of Slack, or of who understands the same. `webhook`: signed as Standard Webhooks want it. */
export const RECEIVER_KINDS = ["slack", "webhook"] as const;
export type ReceiverKind = (typeof RECEIVER_KINDS)[number];

/** What a receiver hears: all that is said must hold. Globs, `*` stands for any run; absent: whatever it is. */
export interface NotificationFilter {
  /** Kinds of events, such as `function.*`. */
  events: string[];
  sources?: string[];
  functions?: string[];
  accounts?: string[];
  /** Only what somebody should look at. */
  errorsOnly?: boolean;
}

export interface NotificationSettings extends NotificationFilter {
  kind: ReceiverKind;
  /** Of the address; the rest of it may be a secret. */
  host: string;
}

/** As the API shows it. Times are milliseconds since 1970. */
export interface NotificationDetail extends NotificationSettings {
  name: string;
  createdAt: number;
  /** Events that wait to be sent. */
  waiting: number;
  /** When it last took something. */
  sentAt?: number;
  /** Why it did not take the last one. */
  problem?: string;
}

/** What an administrator says of a receiver. */
export interface NotificationRequest extends Partial<NotificationFilter> {
  /** Sealed, and never answered whole. */
  address?: string;
  /** A new secret to sign with. */
  rotate?: boolean;
}

/** What came of a test. */
export interface NotificationTest {
  isSent: boolean;
  /** null: there was no answer. */
  status: number | null;
  /** What went wrong, or the beginning of the answer. */
  message: string;
}

/** An event as others are told it. */
export interface ToldEvent extends Omit<PlatformEvent, "actor"> {
  /** Name of who did it. */
  actor?: string;
}

export function toldEvent({ actor, ...event }: PlatformEvent): ToldEvent {
  return { ...event, ...(actor ? { actor: actor.name } : {}) };
}

/** Of the receivers themselves nobody is told, so that no failure to tell is something to tell. */
const OF_RECEIVERS = /^notification\./;
const TROUBLE = /(?:^|[.-])(?:failed|quarantined|culprit|not-copied|newer-than-code|returned)$/;

export function isHeard(filter: NotificationFilter, event: PlatformEvent): boolean {
  if (OF_RECEIVERS.test(event.kind)) return false;
  if (filter.errorsOnly && !event.error && !TROUBLE.test(event.kind)) return false;
  const isAmong = (globs: string[] | undefined, value: string | undefined) =>
    globs === undefined || (value !== undefined && globs.some((glob) => isLike(glob, value)));
  return (
    isAmong(filter.events, event.kind) &&
    isAmong(filter.sources, event.source) &&
    isAmong(filter.functions, event.function) &&
    isAmong(filter.accounts, event.account)
  );
}

function isLike(glob: string, value: string): boolean {
  const [first = "", ...rest] = glob.split("*");
  if (!rest.length) return glob === value;
  const last = rest.pop() ?? "";
  if (!value.startsWith(first) || !value.endsWith(last) || value.length < first.length + last.length) return false;
  let at = first.length;
  for (const part of rest) {
    const found = value.indexOf(part, at);
    if (found < 0 || found + part.length > value.length - last.length) return false;
    at = found + part.length;
  }
  return true;
}
