// Lets a commit be built only when the policy of its source says who may sign and one of them has. Each commit is checked
// once under each policy; who signed is kept, so that status can say it after a restart.

import { type ErrorReport, reportOf, WrkstError } from "../errors.js";
import type { FollowedTag, Signer, VerifyPolicy } from "../model.js";
import { digestOf, type SignatureChecker } from "../source/signatures/index.js";
import type { Registry } from "../store/index.js";

/** @throws WrkstError ERR_GIT_UNVERIFIED with the reason; the signal's reason. */
export type Verify = (commit: string, signal: AbortSignal, tag?: FollowedTag) => Promise<Signer>;

/** What a source asks of who signs. */
export interface Verifying {
  verify: Verify;
  /** Who may sign, as it was read last. */
  policy(): VerifyPolicy;
  /** Whether this machine has what the policy needs. @throws WrkstError ERR_CONFIG */
  requireTools(signal: AbortSignal): Promise<void>;
}

export interface VerifyDeps {
  source: { readonly name: string; bytes(id: string, type: "commit" | "tag"): Promise<Uint8Array> };
  /** The policy as it is now. */
  policy(): Promise<VerifyPolicy>;
  checker: Pick<SignatureChecker, "check">;
  registry: Pick<Registry, "setting" | "setSetting">;
}

/** One commit (by way of one tag) under one policy. */
interface Verdict {
  policy: string;
  commit: string;
  /** Id and name. */
  tag: string | null;
  signer: Signer;
}

const KEPT = 100;

/**
 * For a policy that the settings of a source say. A machine that lost the tools is no reason not to follow the source: its
 * passes fail, and are tried again.
 */
export function createVerifying(
  deps: Omit<VerifyDeps, "policy" | "checker"> & { policy: VerifyPolicy; checker: SignatureChecker },
): Verifying {
  const { policy, checker } = deps;
  const verify = createVerify({ ...deps, policy: async () => policy });
  let hasTools = false;
  const requireTools = async (signal: AbortSignal) => {
    if (!hasTools) await checker.requireTools(policy, signal);
    hasTools = true;
  };
  return {
    policy: () => policy,
    requireTools,
    async verify(commit, signal, tag) {
      await requireTools(signal).catch((error: unknown) => {
        signal.throwIfAborted();
        const { message, hint } = reportOf(error);
        throw new WrkstError("ERR_GIT", message, { hint, cause: error });
      });
      return verify(commit, signal, tag);
    },
  };
}

export function createVerify({ source, policy: read, checker, registry }: VerifyDeps): Verify {
  const refusals = new Map<string, ErrorReport>();
  return async (commit, signal, tag) => {
    const policy = await read();
    const wanted = { policy: digestOf(policy), commit, tag: tag ? `${tag.id} ${tag.name}` : null };
    const key = JSON.stringify(wanted);
    const known = verdictsOf(registry, source.name).find((verdict) => isSame(verdict, wanted));
    if (known) return known.signer;
    const refusal = refusals.get(key);
    if (refusal) throw new WrkstError(refusal.code, refusal.message, { hint: refusal.hint });
    try {
      const from = { read: source.bytes, signal };
      const signer = await checker.check({ commit, ...(tag ? { tag } : {}) }, policy, from);
      keep(registry, source.name, { ...wanted, signer });
      return signer;
    } catch (error) {
      const report = reportOf(error);
      if (report.code === "ERR_GIT_UNVERIFIED" && !signal.aborted) remember(refusals, key, report);
      throw error;
    }
  };
}

/** Who signed a commit of a source, if that was checked and is not too long ago. */
export function signerOf(registry: Pick<Registry, "setting">, source: string, commit: string): Signer | undefined {
  return verdictsOf(registry, source).find((verdict) => verdict.commit === commit)?.signer;
}

function isSame(a: Omit<Verdict, "signer">, b: Omit<Verdict, "signer">): boolean {
  return a.commit === b.commit && a.policy === b.policy && a.tag === b.tag;
}

function verdictsOf(registry: Pick<Registry, "setting">, source: string): Verdict[] {
  return JSON.parse(registry.setting(settingOf(source)) ?? "[]");
}

/** The newest first. */
function keep(registry: VerifyDeps["registry"], source: string, verdict: Verdict): void {
  const before = verdictsOf(registry, source).filter((other) => !isSame(other, verdict));
  registry.setSetting(settingOf(source), JSON.stringify([verdict, ...before].slice(0, KEPT)));
}

function settingOf(source: string): string {
  return `verified.${source}`;
}

function remember(refusals: Map<string, ErrorReport>, key: string, report: ErrorReport): void {
  refusals.set(key, report);
  for (const oldest of refusals.keys()) if (refusals.size > KEPT) refusals.delete(oldest);
}
