// The words of telling others: what a forge shows beside a commit. Types only; model.ts hands them on.

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
