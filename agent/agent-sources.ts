// Wires what follows repositories: the source that the environment describes, the embedded repository, all other sources.
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { isVerified, openVerify } from "./agent-verify.js";
import type { ProcessConfig } from "./config.js";
import type { SourceSettings } from "./model.js";
import { createSources, FIRST_SOURCE, type FollowedSources, type SourcesDeps } from "./reconcile/sources/index.js";
import { createVerifying } from "./reconcile/verify.js";
import { openEmbedded } from "./source/embedded.js";
import { createAdmission } from "./source/hosts.js";
import { createSignatureChecker } from "./source/signatures/index.js";
import { createGitSlots } from "./source/slots.js";
import { MAIN_ACCOUNT } from "./store/index.js";

export interface AgentSourcesOptions
  extends Omit<
    SourcesDeps,
    | "first"
    | "webhookSecret"
    | "keysDir"
    | "folders"
    | "environment"
    | "openVerify"
    | "admit"
    | "slots"
    | "previewRetention"
  > {
  config: ProcessConfig;
  /** Folder for what lies there only while the agent runs. */
  runDir: string;
  /** Folder for checkouts. */
  work: string;
}

const EXAMPLES = fileURLToPath(new URL("../../examples", import.meta.url));

/** Makes the embedded repository where there is none. */
export async function openAgentSources(options: AgentSourcesOptions): Promise<FollowedSources> {
  const { config, runDir, work } = options;
  const { dataDir, environment, git } = config;
  const embedded = join(dataDir, "git/functions.git");
  // Nobody signs the examples.
  const filling = git.repo || isVerified(git) ? {} : { seed: EXAMPLES };
  const { seed } = await openEmbedded({ dir: embedded, hooksDir: join(dataDir, "hooks"), environment, ...filling });
  return createSources({
    ...options,
    first: {
      ...{ name: FIRST_SOURCE, settings: settingsOf(config), isOfEnvironment: true, seed },
      credentials: {
        ...(git.token === undefined ? {} : { token: git.token }),
        ...(git.username === undefined ? {} : { username: git.username }),
        ...(git.sshKeyFile === undefined ? {} : { sshKeyFile: git.sshKeyFile }),
        ...(git.knownHostsFile === undefined ? {} : { knownHostsFile: git.knownHostsFile }),
      },
    },
    folders: { git: join(dataDir, "git"), work, embedded },
    keysDir: join(runDir, "keys"),
    webhookSecret: config.webhookSecret,
    previewRetention: config.previewRetention ?? 0,
    environment,
    admit: createAdmission(git.allowHosts),
    slots: createGitSlots(),
    openVerify: createVerifyOf(options),
  });
}

/** The files of the environment are read again and again; what the settings of a source say changes with them. */
function createVerifyOf({ config, registry }: AgentSourcesOptions): SourcesDeps["openVerify"] {
  const checker = createSignatureChecker({ environment: config.environment });
  return async (source, { settings: { verify }, isOfEnvironment }) => {
    if (isOfEnvironment) return openVerify(config, { source, registry });
    return verify === null ? undefined : createVerifying({ source, registry, checker, policy: verify });
  };
}

function settingsOf({ git }: ProcessConfig): SourceSettings {
  const { share, count } = git.pruneLimit;
  return {
    repo: git.repo ?? "embedded",
    follow: git.tags === undefined ? { branch: git.branch } : { tags: git.tags },
    path: git.path,
    account: MAIN_ACCOUNT,
    // Nobody asks the embedded repository: it tells.
    interval: git.repo === undefined ? null : git.pollInterval || null,
    prune: { percent: share * 100, count },
    atomic: false,
    previews: git.previews,
    previewSecrets: false,
    verify: null,
  };
}
