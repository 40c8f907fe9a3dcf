import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { tmpdir } from "node:os";
import { test } from "node:test";
import { promisify } from "node:util";
import { wrkst } from "./testing.js";

const run = promisify(execFile);
const script = async (shell: string) => (await wrkst(["completion", shell], { folder: tmpdir(), home: tmpdir() })).out;

/** What bash offers for the last word of the line. */
async function offers(line: string): Promise<string[]> {
  const words = line.split(" ");
  const array = words.map((word) => `'${word}'`).join(" ");
  const ask = `COMP_WORDS=(${array}); COMP_CWORD=${words.length - 1}; _wrkst; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout } = await run("bash", ["--norc", "-c", `${await script("bash")}\n${ask}`]);
  return stdout.trim().split("\n");
}

for (const [line, expected] of [
  ["wrkst ver", ["versions"]],
  ["wrkst versions ", ["list", "view", "upload", "deploy", "--help"]],
  ["wrkst --json versions de", ["deploy"]],
  ["wrkst versions view 1a2b3c4d --na", ["--name"]],
  ["wrkst deploy --dry", ["--dry-run"]],
] as const) {
  test(`bash completes "${line}"`, async () => {
    assert.deepEqual(await offers(line), expected);
  });
}

test("every shell gets the commands and their options", async () => {
  for (const shell of ["zsh", "fish"]) {
    const text = await script(shell);
    for (const word of ["versions", "rollback", "dry-run", "set-url"])
      assert.ok(text.includes(word), `${shell} ${word}`);
  }
  await run("bash", ["--norc", "-n", "-c", await script("zsh")]);
});
