// Checks SSH signatures as git does: ssh-keygen finds the principals of the key, then verifies for each of them. The
// verdict is the exit code and the line of a good signature; what ssh-keygen complains of is only told.

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { WrkstError } from "../../errors.js";
import type { Signer } from "../../model.js";
import { printable } from "../remote.js";
import type { SignedObject } from "./signed-object.js";
import { type ToolResult, type Tools, withFolder } from "./tool.js";

const NAMESPACE = "git";
const MAX_PRINCIPALS = 16;
const GOOD = /^Good "git" signature for (.+) with \S+ key (SHA256:[A-Za-z0-9+/]{43})\n?$/;
const FITS = /^Good "git" signature with \S+ key (SHA256:[A-Za-z0-9+/]{43})\n?$/;

/**
 * @param signers text of an allowed-signers file; its `valid-after` and `valid-before` are compared with the time of the object.
 * @throws WrkstError ERR_GIT_UNVERIFIED
 */
export async function checkSsh(
  object: SignedObject & { signature: Buffer },
  signers: string,
  { tools, signal }: { tools: Tools; signal: AbortSignal },
): Promise<Signer> {
  return withFolder(async (folder) => {
    const files = { signature: join(folder, "signature"), signers: join(folder, "signers") };
    await writeFile(files.signature, object.signature, { mode: 0o600 });
    await writeFile(files.signers, signers, { mode: 0o600 });
    const ask = (action: string, args: string[]) => {
      const common = ["-s", files.signature, `-Overify-time=${timeOf(object)}`];
      const call = { command: "ssh-keygen", args: ["-Y", action, ...args, ...common], input: object.payload } as const;
      return tools.run(call, signal);
    };
    const found = await ask("find-principals", ["-f", files.signers]);
    const principals = found.code === 0 ? found.stdout.split("\n").filter(Boolean).slice(0, MAX_PRINCIPALS) : [];
    const complaints = [found];
    for (const principal of principals) {
      const verdict = await ask("verify", ["-n", NAMESPACE, "-f", files.signers, "-I", principal]);
      const [, name, fingerprint] = GOOD.exec(verdict.stdout) ?? [];
      if (verdict.code === 0 && name !== undefined && fingerprint !== undefined) {
        return { what: object.what, kind: "ssh", name: printable(name), fingerprint };
      }
      complaints.push(verdict);
    }
    throw refusal(object, await ask("check-novalidate", ["-n", NAMESPACE]), reasonOf(complaints, folder));
  });
}

/** `YYYYMMDDhhmmss`, read as UTC. */
function timeOf({ time }: SignedObject): string {
  return new Date(time * 1000).toISOString().replace(/[-:T]|\..*/g, "");
}

/** A signature that fits by a key that may not sign is another thing than one that does not fit. */
function refusal({ what }: SignedObject, fitting: ToolResult, reason: string | undefined): WrkstError {
  const fingerprint = fitting.code === 0 ? FITS.exec(fitting.stdout)?.[1] : undefined;
  if (fingerprint === undefined) {
    const why = reasonOf([fitting], undefined);
    return new WrkstError("ERR_GIT_UNVERIFIED", `the SSH signature does not fit the ${what}${why ? `: ${why}` : ""}`, {
      hint: `sign the ${what} anew: its content was changed after it was signed, or the signature is of something else`,
    });
  }
  return new WrkstError(
    "ERR_GIT_UNVERIFIED",
    `the ${what} is signed by SSH key "${fingerprint}", which may not sign${reason ? `: ${reason}` : ""}`,
    { hint: "add the key to the allowed signers, or sign with a key that is among them" },
  );
}

/** The first complaint that says something, without the path of our own file. */
function reasonOf(results: ToolResult[], folder: string | undefined): string | undefined {
  const lines = results.flatMap(({ stderr }) => stderr.split("\n")).map((line) => line.trim());
  const telling = lines.find((line) => line !== "" && !/^(?:no principal matched|could not verify)/i.test(line));
  return telling && printable(folder === undefined ? telling : telling.replaceAll(`${folder}/signers`, "line"));
}
