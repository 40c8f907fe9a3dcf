import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { openVerify } from "./agent-verify.js";
import { parseConfig } from "./config.js";
import { WrkstError } from "./errors.js";
import { newRegistry } from "./store/test-registry.js";

async function opening(t: TestContext, texts: { signers?: string; keyring?: string }, environment = process.env) {
  const folder = await mkdtemp(join(tmpdir(), "wrkst-policy-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const files = { GIT_VERIFY_SIGNERS: texts.signers, GIT_VERIFY_KEYRING: texts.keyring };
  const variables: Record<string, string> = {};
  for (const [name, text] of Object.entries(files)) {
    if (text === undefined) continue;
    variables[name] = join(folder, name);
    if (text !== "missing") await writeFile(join(folder, name), text);
  }
  const config = { ...parseConfig(variables, { folder, memory: 2 ** 30, terminal: false }), environment };
  const source = { name: "default", bytes: async () => Buffer.from("") };
  return { verify: openVerify(config, { source, registry: newRegistry(t).registry }), folder };
}

const SIGNERS = "ana@example.com ssh-ed25519 AAAA\n";
const isConfig = (error: unknown) =>
  error instanceof WrkstError && error.code === "ERR_CONFIG" && error.hint !== undefined;

test("without files nothing is checked, with one the start needs it, whole, and the tool", async (t) => {
  assert.equal(await (await opening(t, {})).verify, undefined);
  const opened = await (await opening(t, { signers: SIGNERS })).verify;
  assert.deepEqual(opened?.policy(), { what: "commit", signers: SIGNERS });
  for (const wrong of [{ signers: "missing" }, { signers: "# nobody\n \n" }, { keyring: "\x99\x01\r\n" }]) {
    await assert.rejects((await opening(t, wrong)).verify, isConfig, JSON.stringify(wrong));
  }
  await assert.rejects((await opening(t, { signers: SIGNERS }, { PATH: "/nonexistent" })).verify, isConfig);
});

test("a file that is gone later refuses every commit", async (t) => {
  const { verify, folder } = await opening(t, { signers: SIGNERS });
  const check = await verify;
  await rm(join(folder, "GIT_VERIFY_SIGNERS"));
  await assert.rejects(check!.verify("a".repeat(40), new AbortController().signal), isConfig);
});
