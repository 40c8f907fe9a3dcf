// What a source may be told: every setting checked and in its one form. Pure.
import { WrkstError } from "../../errors.js";
import { isFunctionName, type SourceSettings, type VerifyPolicy } from "../../model.js";
import { parseRemote, validateBranch, validateRootPath } from "../../source/remote.js";
import { validateRange } from "../../source/tags.js";

/** Name of the source that the environment describes. */
export const FIRST_SOURCE = "default";

export const SHORTEST_INTERVAL = 5_000;
const LONGEST_INTERVAL = 7 * 86_400_000;
const MOST_PATTERNS = 50;
const LONGEST_KEYS = 256 * 1024;

/** @throws WrkstError ERR_INVALID */
export function checkSourceName(name: string): void {
  if (isFunctionName(name)) return;
  throw invalid(`expected a name of lower case letters, digits and "-", received "${name.slice(0, 100)}"`);
}

/**
 * The settings in their one form.
 * @throws WrkstError ERR_INVALID, ERR_GIT_REFUSED
 */
export function checkSettings(raw: SourceSettings): SourceSettings {
  return {
    ...raw,
    repo: checkRepo(raw.repo),
    follow: checkFollow(raw.follow),
    path: validateRootPath(raw.path),
    interval: checkInterval(raw.interval),
    prune: checkPrune(raw.prune),
    previews: checkPatterns(raw.previews),
    verify: raw.verify && checkVerify(raw.verify),
  };
}

function checkRepo(repo: string): string {
  if (repo === "embedded") return repo;
  const { url, username, password } = parseRemote(repo, { local: false });
  if (username !== undefined || password !== undefined) {
    throw invalid("expected an address without credentials", "give user name and token apart from the address");
  }
  return url;
}

function checkFollow(follow: SourceSettings["follow"]): SourceSettings["follow"] {
  if ("branch" in follow) return { branch: validateBranch(follow.branch) };
  try {
    return { tags: validateRange(follow.tags) };
  } catch (error) {
    const { message, hint } = error as WrkstError;
    throw invalid(`"follow.tags": ${message}`, hint);
  }
}

function checkInterval(interval: number | null): number | null {
  if (interval === null) return null;
  if (Number.isInteger(interval) && interval >= SHORTEST_INTERVAL && interval <= LONGEST_INTERVAL) return interval;
  throw invalid(`expected an interval of ${SHORTEST_INTERVAL / 1000} seconds to 7 days, received ${interval} ms`);
}

function checkPrune(prune: SourceSettings["prune"]): SourceSettings["prune"] {
  if (prune === "never") return prune;
  const { percent, count } = prune;
  if (percent >= 0 && percent <= 100 && Number.isInteger(count) && count >= 0) return { percent, count };
  throw invalid(`expected a prune limit of 0 to 100 percent and a count, received ${percent} % and ${count}`);
}

function checkPatterns(patterns: string[]): string[] {
  if (patterns.length > MOST_PATTERNS) throw invalid(`expected at most ${MOST_PATTERNS} patterns of branches`);
  for (const pattern of patterns) validateBranch(pattern.replaceAll("*", "x"));
  return [...new Set(patterns)];
}

/** Form only: what the keys are worth is found when something is checked with them. */
function checkVerify({ what, signers, keyring }: VerifyPolicy): VerifyPolicy {
  if (!signers?.trim() && !keyring?.trim()) throw invalid("expected signers or a keyring to verify with");
  if ((signers?.length ?? 0) + (keyring?.length ?? 0) > LONGEST_KEYS) {
    throw invalid(`expected signers and keyring of at most ${LONGEST_KEYS} bytes`);
  }
  if (keyring?.trim() && !isPublicKeyring(keyring)) {
    throw invalid("expected a keyring of ASCII-armored public keys", "gpg --armor --export <key>");
  }
  const wrong = (signers ?? "").split("\n").findIndex((line) => !isSignersLine(line.trim()));
  if (wrong >= 0) {
    throw invalid(
      `line ${wrong + 1} of the signers: expected principals, options and a public key`,
      "see: man ssh-keygen",
    );
  }
  return { what, ...(signers?.trim() ? { signers } : {}), ...(keyring?.trim() ? { keyring } : {}) };
}

function isPublicKeyring(text: string): boolean {
  return text.includes("-----BEGIN PGP PUBLIC KEY BLOCK-----") && !text.includes("PRIVATE KEY");
}

/** `principals [options] keytype base64 [comment]`. */
function isSignersLine(line: string): boolean {
  return (
    line === "" || line.startsWith("#") || /^\S+\s(?:.*\s)?(?:sk-)?(?:ssh|ecdsa)-\S+\s+AAAA[A-Za-z0-9+/=]+/.test(line)
  );
}

function invalid(message: string, hint?: string): WrkstError {
  return new WrkstError("ERR_INVALID", message, { hint });
}
