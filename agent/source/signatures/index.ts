// Says who signed a commit or tag, under a policy. Never trusts what the object says about itself: the tools of git decide.

import { createHash } from "node:crypto";
import { WrkstError } from "../../errors.js";
import type { FollowedTag, Signer, VerifyPolicy } from "../../model.js";
import { printable } from "../remote.js";
import { checkOpenPgp } from "./openpgp.js";
import { kindOf, parseCommit, parseTag, type SignedObject } from "./signed-object.js";
import { checkSsh } from "./ssh.js";
import { INSTALL_HINTS, openTools, type ToolOptions, type ToolRun } from "./tool.js";

export interface SignatureChecker {
  /**
   * @param revision what is followed; `tag` where a tag leads to it.
   * @param read the bytes of an object of the repository.
   * @throws WrkstError ERR_GIT_UNVERIFIED with the reason; the signal's reason.
   */
  check(
    revision: { commit: string; tag?: FollowedTag },
    policy: VerifyPolicy,
    from: { read(id: string, type: "commit" | "tag"): Promise<Uint8Array>; signal: AbortSignal },
  ): Promise<Signer>;
  /** Whether this machine has what the policy needs. @throws WrkstError ERR_CONFIG */
  requireTools(policy: VerifyPolicy, signal: AbortSignal): Promise<void>;
}

export function createSignatureChecker(options: ToolOptions = {}): SignatureChecker {
  const tools = openTools(options);

  async function check(object: SignedObject, policy: VerifyPolicy, signal: AbortSignal): Promise<Signer> {
    const { what, signature } = object;
    if (signature === undefined) {
      throw refused(`the ${what} is not signed`, `sign it: git ${what === "tag" ? "tag -s" : "commit -S"}`);
    }
    const signed = { ...object, signature };
    const kind = kindOf(signature);
    if (kind === "ssh" && policy.signers) return checkSsh(signed, policy.signers, { tools, signal });
    if (kind === "openpgp" && policy.keyring) return checkOpenPgp(signed, policy.keyring, { tools, signal });
    if (kind === "x509") throw refused(`the ${what} is signed with X.509, which is not supported`, EXPECTED);
    const named = kind === "ssh" ? "an SSH key, and no SSH key" : "an OpenPGP key, and no OpenPGP key";
    throw refused(`the ${what} is signed by ${named} may sign`, EXPECTED);
  }

  return {
    async check({ commit, tag }, policy, { read, signal }) {
      if (policy.what === "commit") return check(parseCommit(await read(commit, "commit")), policy, signal);
      if (tag === undefined) throw refused("a commit is followed, and a signed tag is asked for", FOLLOW_TAGS);
      if (tag.id === commit) {
        throw refused(
          `the tag "${printable(tag.name)}" is not signed`,
          `sign it: git tag -s -f ${printable(tag.name)}`,
        );
      }
      const object = parseTag(await read(tag.id, "tag"));
      // A signed tag under another name would bring an old release back.
      if (object.name !== tag.name || object.target !== commit) {
        const { name, target } = object;
        const received = `"${printable(name)}" of "${target}"`;
        throw refused(
          `expected a tag "${printable(tag.name)}" of "${commit}", received ${received}`,
          "push the right tag",
        );
      }
      return check(object, policy, signal);
    },
    async requireTools(policy, signal) {
      const needed: (ToolRun | false)[] = [
        // Its usage names what it can do, whatever the version; it has no option that prints only that.
        policy.signers !== undefined && { command: "ssh-keygen", args: ["-?"] },
        policy.keyring !== undefined && { command: "gpg", args: ["--version"] },
      ];
      for (const call of needed) {
        if (!call) continue;
        const { stdout, stderr } = await tools.run(call, signal).catch((cause: unknown) => {
          throw unusable(call.command, cause);
        });
        if (!/-Y find-principals|^gpg \(GnuPG/.test(stdout + stderr)) throw unusable(call.command, undefined);
      }
    },
  };
}

/** Equal for equal policies. */
export function digestOf(policy: VerifyPolicy): string {
  const { what, signers = null, keyring = null } = policy;
  return createHash("sha256")
    .update(JSON.stringify([what, signers, keyring]))
    .digest("hex");
}

const EXPECTED = "sign with a key that the policy of the source names";
const FOLLOW_TAGS = "follow tags, or let the policy of the source ask for signed commits";

function refused(message: string, hint: string): WrkstError {
  return new WrkstError("ERR_GIT_UNVERIFIED", message, { hint });
}

function unusable(command: ToolRun["command"], cause: unknown): WrkstError {
  return new WrkstError("ERR_CONFIG", `signatures are to be checked, and there is no "${command}" that can do it`, {
    hint: INSTALL_HINTS[command],
    cause,
  });
}
