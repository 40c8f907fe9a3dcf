// What no command changes of the source that the environment describes, and where it is changed. Pure.
import { WrkstError } from "../../errors.js";
import type { SourceCredentials, SourceSettings } from "../../model.js";

type Setting = keyof SourceSettings | keyof SourceCredentials;

/** As `.env.example` names them. What is missing is not to be had for this source. */
const VARIABLES: Partial<Record<Setting, string>> = {
  ...{ repo: "GIT_REPO", path: "GIT_PATH", interval: "GIT_POLL_INTERVAL", prune: "GIT_PRUNE_LIMIT" },
  ...{ previews: "GIT_PREVIEWS", verify: "GIT_VERIFY_SIGNERS or GIT_VERIFY_KEYRING" },
  ...{ username: "GIT_USERNAME", token: "GIT_TOKEN" },
  ...{ sshKey: "GIT_SSH_KEY_FILE", knownHosts: "GIT_KNOWN_HOSTS_FILE" },
};

/** Nobody asks the embedded repository for news, nor needs a credential for it. */
const OF_REMOTES: Setting[] = ["interval", "username", "token", "sshKey", "knownHosts"];

/** Why it cannot be edited, and which variables say what was wanted. */
export function refuseEdit(
  name: string,
  repo: string,
  { follow, ...changes }: Partial<SourceSettings> & SourceCredentials,
): WrkstError {
  const isOfRemote = repo !== "embedded" || changes.repo !== undefined;
  const variableOf = (key: string) =>
    isOfRemote || !OF_REMOTES.includes(key as Setting) ? VARIABLES[key as Setting] : undefined;
  const followed = follow === undefined ? [] : ["tags" in follow ? "GIT_TAGS" : "GIT_BRANCH"];
  const keys = Object.keys(changes);
  const variables = [...followed, ...keys.flatMap((key) => variableOf(key) ?? [])];
  const unset = keys.filter((key) => variableOf(key) === undefined);
  const hints = [
    ...(unset.length ? [`this source has no setting for: ${unset.join(", ")}`] : []),
    ...(variables.length || !unset.length ? [byVariables(variables)] : []),
  ];
  return refusal(name, "is not edited by command", `${hints.join("; ")}. Possible by command: ${POSSIBLE}`);
}

const POSSIBLE = "wrkst source show, suspend, resume, sync, webhook and report";

function byVariables(variables: string[]): string {
  const named = variables.length
    ? variables.join(", ")
    : "GIT_REPO, GIT_BRANCH, GIT_TAGS, GIT_PATH and the other GIT_…";
  return `set ${named} in the agent's environment (see .env.example) and start it again`;
}

/** Why it cannot be removed, and what is done instead. */
export function refuseRemoval(name: string): WrkstError {
  const hint = `to follow another repository set GIT_REPO; to let nothing move: wrkst source suspend ${name} --reason …`;
  return refusal(name, "cannot be removed", hint);
}

function refusal(name: string, what: string, hint: string): WrkstError {
  const message = `the source "${name}" is described by the environment of the agent and ${what}`;
  return new WrkstError("ERR_CONFLICT", message, { hint });
}
