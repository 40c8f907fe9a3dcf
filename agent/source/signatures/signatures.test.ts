import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { WrkstError } from "../../errors.js";
import type { FollowedTag, Signer, VerifyPolicy } from "../../model.js";
import { bareRepository, git } from "../test-repository.js";
import { createSignatureChecker } from "./index.js";
import {
  createPgpKey,
  createSshKey,
  hasGpg,
  type PgpKey,
  rawObject,
  type SshKey,
  signedCommit,
  signingGit,
  writeObject,
} from "./testing.js";

const signal = new AbortController().signal;
const checker = createSignatureChecker();
const TIME = 1_700_000_000;
let folder: string;
let repo: string;
let ana: SshKey;
let eve: SshKey;
let signers: string;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "wrkst-signatures-"));
  repo = await bareRepository(join(folder, "repo.git"));
  [ana, eve] = await Promise.all([createSshKey(folder, "ana"), createSshKey(folder, "eve")]);
  signers = `# who may\nana@example.com,ana@work ${ana.publicKey} laptop\n`;
});
after(() => rm(folder, { recursive: true, force: true }));

function check(commit: string, policy: Partial<VerifyPolicy>, tag?: FollowedTag): Promise<Signer> {
  const read = (id: string, type: "commit" | "tag") => rawObject(repo, type, id);
  return checker.check({ commit, ...(tag ? { tag } : {}) }, { what: "commit", ...policy }, { read, signal });
}

async function refusal(commit: string, policy: Partial<VerifyPolicy>, tag?: FollowedTag): Promise<WrkstError> {
  const error = await check(commit, policy, tag).then(
    () => assert.fail("it was accepted"),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof WrkstError, String(error));
  assert.equal(error.code, "ERR_GIT_UNVERIFIED", error.message);
  return error;
}

/** The commit with the text changed, under an id of its own. */
async function altered(commit: string, change: (text: string) => string): Promise<string> {
  const text = (await rawObject(repo, "commit", commit)).toString("latin1");
  const changed = change(text);
  assert.notEqual(changed, text);
  return writeObject(repo, "commit", Buffer.from(changed, "latin1"));
}

test("a commit that an allowed SSH key signed is told with its principal and key", async () => {
  const commit = await signedCommit(repo, { ssh: ana });
  const signer = { what: "commit", kind: "ssh", name: "ana@example.com", fingerprint: ana.fingerprint };
  assert.deepEqual(await check(commit, { signers }), signer);
});

test("an unsigned commit, an unknown key and an empty list are refused, the key by its fingerprint", async () => {
  await refusal(await signedCommit(repo, {}), { signers });
  const unknown = await signedCommit(repo, { ssh: eve });
  assert.ok((await refusal(unknown, { signers })).message.includes(eve.fingerprint));
  await refusal(unknown, { signers: "# nobody\n" });
  await refusal(unknown, { signers: "" });
});

test("a changed payload, a signature of another commit and a damaged one are refused", async () => {
  const commit = await signedCommit(repo, { ssh: ana });
  const other = await signedCommit(repo, { ssh: ana }, { message: "other" });
  const signatureOf = (text: string) => /^gpgsig (?:.*\n)(?: .*\n)*/m.exec(text)?.[0] ?? "";
  const foreign = signatureOf((await rawObject(repo, "commit", other)).toString("latin1"));
  for (const change of [
    (text: string) => text.replace("change", "changes"),
    (text: string) => text.replace(`${TIME} +0000`, `${TIME + 1} +0000`),
    (text: string) => text.replace(signatureOf(text), foreign),
    (text: string) => text.replace(/^ ([A-Z])/m, (_, letter: string) => ` ${letter === "A" ? "B" : "A"}`),
    (text: string) => text.replace(/^ ([A-Za-z0-9+/]{70}\n)/m, ""),
  ]) {
    await refusal(await altered(commit, change), { signers });
  }
});

test("a signature made for another purpose than git is refused", async () => {
  const unsigned = await rawObject(repo, "commit", await signedCommit(repo, {}));
  const made = spawnSync("ssh-keygen", ["-q", "-Y", "sign", "-n", "file", "-f", ana.file], { input: unsigned });
  const header = `gpgsig ${made.stdout.toString().trimEnd().replaceAll("\n", "\n ")}\n`;
  const text = unsigned.toString("latin1").replace("\n\n", `\n${header}\n`);
  const commit = await writeObject(repo, "commit", Buffer.from(text, "latin1"));
  assert.match((await refusal(commit, { signers })).message, /namespace/);
});

test("valid-after, valid-before and namespaces of the allowed signers count at the time of the commit", async () => {
  const commit = await signedCommit(repo, { ssh: ana }, { time: TIME }); // 2023-11-14T22:13:20Z
  const line = (options: string) => ({ signers: `ana@example.com ${options} ${ana.publicKey}\n` });
  for (const good of [
    'valid-before="20231114221321"',
    'valid-after="20231114",valid-before="20231115"',
    'namespaces="git"',
  ]) {
    assert.equal((await check(commit, line(good))).name, "ana@example.com", good);
  }
  const late = await refusal(commit, line('valid-before="20231114221319"'));
  assert.match(late.message, /expired/);
  assert.ok(late.message.includes(ana.fingerprint) && !late.message.includes(tmpdir()), late.message);
  await refusal(commit, line('valid-after="20231114221321"'));
  await refusal(commit, line('namespaces="file"'));
});

test("a principal or a list that tries to be an option or a second answer changes nothing", async () => {
  const commit = await signedCommit(repo, { ssh: ana });
  assert.equal((await check(commit, { signers: `-nfile ${ana.publicKey}\n` })).name, "-nfile");
  await refusal(await signedCommit(repo, { ssh: eve }), { signers: `Good\n${signers}` });
});

test("a policy asks for what it asks for: keys of another kind, and tags where commits are signed, are refused", async () => {
  const commit = await signedCommit(repo, { ssh: ana });
  await refusal(commit, { keyring: "-----BEGIN PGP PUBLIC KEY BLOCK-----" });
  await refusal(commit, { what: "tag", signers });
});

test("keys of every type sign, and certificates of an authority that the list names", async () => {
  for (const type of ["ecdsa", "rsa"]) {
    const key = await createSshKey(folder, type, type);
    const commit = await signedCommit(repo, { ssh: key });
    const signer = await check(commit, { signers: `ana@example.com ${key.publicKey}\n` });
    assert.equal(signer.fingerprint, key.fingerprint);
  }
  const authority = await createSshKey(folder, "authority");
  const bo = await createSshKey(folder, "bo");
  spawnSync("ssh-keygen", ["-q", "-s", authority.file, "-I", "bo", "-n", "bo@example.com", `${bo.file}.pub`]);
  const commit = await signedCommit(repo, { ssh: { ...bo, file: `${bo.file}-cert.pub` } });
  const named = { signers: `*@example.com cert-authority ${authority.publicKey}\n` };
  assert.equal((await check(commit, named)).name, "bo@example.com");
  await refusal(commit, { signers: `*@elsewhere.example cert-authority ${authority.publicKey}\n` });
  await refusal(commit, { signers: `*@example.com cert-authority ${eve.publicKey}\n` });
});

test("git itself comes to the same verdicts, also of merges of signed tags and of messages in other encodings", async () => {
  const file = join(folder, "allowed");
  await writeFile(file, signers);
  const agree = async (commit: string, expected: boolean) => {
    const asked = ["-c", `gpg.ssh.allowedSignersFile=${file}`, "verify-commit", commit];
    const { code } = await git(repo, asked, { fails: true });
    const isAccepted = await check(commit, { signers }).then(
      () => true,
      () => false,
    );
    assert.deepEqual([isAccepted, code === 0], [expected, expected]);
  };
  const [base, side] = [await signedCommit(repo, { ssh: ana }), await signedCommit(repo, {}, { message: "side" })];
  await tagOf(side, "v3.0.0", eve);
  const work = join(folder, "work");
  await git(folder, ["clone", "--quiet", repo, work]);
  await git(work, ["checkout", "--quiet", "--detach", base]);
  const { settings } = signingGit({ ssh: ana });
  const merging = ["merge", "--quiet", "--no-edit", "--no-ff", "--allow-unrelated-histories", "--gpg-sign", "v3.0.0"];
  await git(work, [...settings, "-c", "i18n.commitEncoding=ISO-8859-1", ...merging]);
  await git(work, ["push", "--quiet", "origin", "HEAD:refs/heads/merged"]);
  const merged = (await git(work, ["rev-parse", "HEAD"])).stdout.trim();
  const text = (await rawObject(repo, "commit", merged)).toString("latin1");
  assert.match(text, /^mergetag object [0-9a-f]+\n(?: .*\n)* -----BEGIN SSH/m);
  assert.match(text, /^encoding ISO-8859-1$/m);
  await agree(merged, true);
  await agree(await altered(merged, (merge) => merge.replace("\n tag v3.0.0\n", "\n tag v3.0.1\n")), false);
  await agree(await altered(merged, (merge) => merge.replace("encoding ISO-8859-1\n", "")), false);
  await agree(base, true);
  await agree(side, false);
  await agree(await signedCommit(repo, { ssh: eve }), false);
});

async function tagOf(commit: string, name: string, key?: SshKey): Promise<FollowedTag> {
  const { settings } = signingGit(key ? { ssh: key } : {});
  await git(repo, [...settings, "tag", "--force", "-m", "Release", key ? "--sign" : "--annotate", name, commit]);
  return { name, id: (await git(repo, ["rev-parse", `refs/tags/${name}`])).stdout.trim() };
}

test("a signed tag is accepted under its own name, for its own commit only", async () => {
  const policy = { what: "tag", signers } as const;
  const [commit, other] = [await signedCommit(repo, {}), await signedCommit(repo, {}, { message: "other" })];
  const tag = await tagOf(commit, "v1.0.0", ana);
  const signer = { what: "tag", kind: "ssh", name: "ana@example.com", fingerprint: ana.fingerprint };
  assert.deepEqual(await check(commit, policy, tag), signer);
  await refusal(commit, policy, { ...tag, name: "v2.0.0" });
  await refusal(other, policy, tag);
  await refusal(commit, policy, await tagOf(commit, "v1.0.1", eve));
  await refusal(commit, policy, await tagOf(commit, "v1.0.2"));
  await refusal(commit, policy, { name: "light", id: commit });
  const changed = (await rawObject(repo, "tag", tag.id)).toString("latin1").replace("Release", "release");
  await refusal(commit, policy, { ...tag, id: await writeObject(repo, "tag", Buffer.from(changed, "latin1")) });
});

test("a machine without the tools is told which to install, and one that has them is not", async () => {
  const policy: VerifyPolicy = { what: "commit", signers };
  await checker.requireTools(policy, signal);
  const bare = createSignatureChecker({ environment: { PATH: folder } });
  const isConfig = (error: unknown) =>
    error instanceof WrkstError && error.code === "ERR_CONFIG" && /ssh-keygen/.test(error.message);
  await assert.rejects(bare.requireTools(policy, signal), isConfig);
  await writeFile(join(folder, "ssh-keygen"), "#!/bin/sh\necho 'usage: ssh-keygen -Y sign'\n", { mode: 0o755 });
  await assert.rejects(bare.requireTools(policy, signal), isConfig);
});

test("a tool that never ends is ended with its children", async () => {
  const slow = join(folder, "slow");
  await mkdir(slow);
  await writeFile(join(slow, "ssh-keygen"), "#!/bin/sh\n/bin/sleep 1000 &\nwait\n", { mode: 0o755 });
  const stuck = createSignatureChecker({ environment: { PATH: slow }, timeout: 50 });
  const read = (id: string, type: "commit" | "tag") => rawObject(repo, type, id);
  const commit = await signedCommit(repo, { ssh: ana });
  const asked = stuck.check({ commit }, { what: "commit", signers }, { read, signal });
  await assert.rejects(asked, (error: unknown) => error instanceof WrkstError && error.code === "ERR_TIMEOUT");
});

test("OpenPGP signatures are judged by gpg: known, unknown, expired, revoked, changed", async (t) => {
  if (!hasGpg) return t.diagnostic("gpg is not installed: signatures by OpenPGP keys are not tried");
  const keys: PgpKey[] = [];
  t.after(() => Promise.all(keys.map((key) => key.close())));
  const create = async (name: string, expires?: string) => {
    const key = await createPgpKey(join(folder, name), `${name} <${name}@example.com>`, expires);
    keys.push(key);
    return key;
  };
  const [good, stranger] = [await create("good"), await create("stranger")];
  const keyring = `${await good.publicKey()}`;
  const commit = await signedCommit(repo, { pgp: good });
  const signer = { what: "commit", kind: "openpgp", name: "good <good@example.com>", fingerprint: good.fingerprint };
  assert.deepEqual(await check(commit, { keyring }), signer);
  assert.deepEqual(await check(commit, { keyring, signers }), signer);
  await refusal(commit, { signers });
  await refusal(await altered(commit, (text) => text.replace("change", "changes")), { keyring });
  const unknown = await refusal(await signedCommit(repo, { pgp: stranger }), { keyring });
  assert.ok(unknown.message.includes(stranger.fingerprint), unknown.message);

  const { expired, keys: oldKeys } = await expiredCommit(good);
  assert.match((await refusal(expired, { keyring: oldKeys })).message, /expired/);

  const revocation = join(stranger.home, "openpgp-revocs.d", `${stranger.fingerprint}.rev`);
  const enabled = (await readFile(revocation, "utf8")).replace(":-----BEGIN", "-----BEGIN");
  const revoked = { keyring: `${await stranger.publicKey()}${enabled}` };
  const byRevoked = await signedCommit(repo, { pgp: stranger });
  assert.equal((await check(byRevoked, { keyring: await stranger.publicKey() })).fingerprint, stranger.fingerprint);
  assert.match((await refusal(byRevoked, revoked)).message, /revoked/);
});

/** Signed with a key that was valid for a day in 2020. */
async function expiredCommit({ gpg }: PgpKey): Promise<{ expired: string; keys: string }> {
  const at = (time: string) => ["--faked-system-time", time];
  await gpg(...at("20200101T000000"), "--quick-generate-key", "old <old@example.com>", "ed25519", "sign", "1d");
  const unsigned = await rawObject(repo, "commit", await signedCommit(repo, {}));
  const payload = join(folder, "payload");
  await writeFile(payload, unsigned);
  const sign = ["--armor", "--detach-sign", "--local-user", "old@example.com", "--output", "-", payload];
  const signature = (await gpg(...at("20200101T010000"), ...sign)).trimEnd().replaceAll("\n", "\n ");
  const text = unsigned.toString("latin1").replace("\n\n", `\ngpgsig ${signature}\n\n`);
  const expired = await writeObject(repo, "commit", Buffer.from(text, "latin1"));
  return { expired, keys: await gpg("--armor", "--export", "old@example.com") };
}
