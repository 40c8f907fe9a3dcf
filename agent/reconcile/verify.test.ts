import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { WrkstError } from "../errors.js";
import type { Signer, VerifyPolicy } from "../model.js";
import { newRegistry } from "../store/test-registry.js";
import { createVerify, createVerifying, signerOf, type VerifyDeps } from "./verify.js";

const { signal } = new AbortController();
const [COMMIT, OTHER, TAG] = ["a", "b", "c"].map((digit) => digit.repeat(40)) as [string, string, string];

/** A checker that takes whatever the policy names, and counts how often it was asked. */
function verifying(t: TestContext, registry: VerifyDeps["registry"] = newRegistry(t).registry) {
  const state = { policy: { what: "commit", signers: COMMIT } as VerifyPolicy, asked: 0, broken: false };
  const check: VerifyDeps["checker"]["check"] = async ({ commit }, { what, signers }) => {
    state.asked += 1;
    if (state.broken) throw new WrkstError("ERR_TIMEOUT", "it took too long");
    if (!signers?.includes(commit)) throw new WrkstError("ERR_GIT_UNVERIFIED", "nobody signed", { hint: "sign" });
    return { what, kind: "ssh", name: "ana", fingerprint: `SHA256:${commit}` } satisfies Signer;
  };
  const source = { name: "default", bytes: () => Promise.reject(new Error("not read here")) };
  const verify = createVerify({ source, registry, checker: { check }, policy: async () => state.policy });
  return { state, registry, verify };
}
const isUnverified = (error: unknown) =>
  error instanceof WrkstError && error.code === "ERR_GIT_UNVERIFIED" && error.hint === "sign";

test("a commit is checked once under a policy, also over a restart, and again under another one", async (t) => {
  const { state, registry, verify } = verifying(t);
  const signer = await verify(COMMIT, signal);
  assert.deepEqual(await verify(COMMIT, signal), signer);
  assert.equal(state.asked, 1);
  const restarted = verifying(t, registry);
  assert.deepEqual(await restarted.verify(COMMIT, signal), signer);
  assert.equal(restarted.state.asked, 0);
  restarted.state.policy = { what: "commit", signers: OTHER };
  await assert.rejects(restarted.verify(COMMIT, signal), isUnverified);
  restarted.state.policy = { what: "commit", signers: COMMIT, keyring: "more" };
  await restarted.verify(COMMIT, signal);
  assert.equal(restarted.state.asked, 2);
});

test("a refusal is remembered under its policy, a tool that failed is asked again", async (t) => {
  const { state, verify } = verifying(t);
  for (const _ of [1, 2]) await assert.rejects(verify(OTHER, signal), isUnverified);
  assert.equal(state.asked, 1);
  state.policy = { what: "commit", signers: OTHER };
  state.broken = true;
  for (const _ of [1, 2]) {
    await assert.rejects(verify(OTHER, signal), (error) => error instanceof WrkstError && error.code === "ERR_TIMEOUT");
  }
  state.broken = false;
  await verify(OTHER, signal);
  assert.equal(state.asked, 4);
});

test("a commit that was accepted by way of one tag is checked again by way of another", async (t) => {
  const { state, verify } = verifying(t);
  await verify(COMMIT, signal, { name: "v1", id: TAG });
  await verify(COMMIT, signal, { name: "v2", id: TAG });
  await verify(COMMIT, signal, { name: "v1", id: OTHER });
  await verify(COMMIT, signal, { name: "v1", id: TAG });
  assert.equal(state.asked, 3);
});

test("who signed is known per source, of the newest hundred commits", async (t) => {
  const { state, registry, verify } = verifying(t);
  const commits = Array.from({ length: 101 }, (_, index) => index.toString(16).padStart(40, "0"));
  state.policy = { what: "commit", signers: commits.join("\n") };
  for (const commit of commits) await verify(commit, signal);
  const [first = "", second = ""] = commits;
  assert.equal(signerOf(registry, "default", first), undefined);
  assert.equal(signerOf(registry, "default", second)?.fingerprint, `SHA256:${second}`);
  assert.equal(signerOf(registry, "other", second), undefined);
});

test("a source whose tools are gone fails with their error, to be tried again, and goes on once they are back", async (t) => {
  const { registry, state } = verifying(t);
  const machine = { hasTools: false };
  const checker = {
    check: async () => ({ what: "commit", kind: "ssh", name: "ana", fingerprint: "SHA256:a" }) satisfies Signer,
    async requireTools() {
      if (!machine.hasTools) throw new WrkstError("ERR_CONFIG", 'there is no "ssh-keygen"', { hint: "install it" });
    },
  };
  const source = { name: "default", bytes: () => Promise.reject(new Error("not read here")) };
  const { verify, requireTools, policy } = createVerifying({ source, registry, checker, policy: state.policy });
  assert.equal(policy(), state.policy);
  await assert.rejects(requireTools(signal), { code: "ERR_CONFIG" });
  await assert.rejects(verify(COMMIT, signal), { code: "ERR_GIT", message: /ssh-keygen/, hint: "install it" });
  machine.hasTools = true;
  assert.equal((await verify(COMMIT, signal)).name, "ana");
});
