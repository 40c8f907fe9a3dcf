import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import type { BindingKind, UploadBinding } from "../agent/model.js";
import { ANN, answers, type DirectAgent, failsWith, ref, secret, startDirect, TELLS_ENV } from "./direct.js";
import { createRepository, type TestRepository } from "./harness.js";

const run = promisify(execFile);
const CANARY = "canary-6b1f0e7a9c";
const SERVING = { base: "serving", client: "test" } as const;
const NEWEST = { base: "newest", client: "test" } as const;

let direct: DirectAgent;
let repository: TestRepository;
before(async () => {
  [direct, repository] = await Promise.all([startDirect(), createRepository()]);
});
after(() => Promise.all([direct?.stop(), repository?.remove()]));

const envOf = async (host: string) => JSON.parse(await direct.text(host)) as Record<string, unknown>;
const text = (name: string, value: string): UploadBinding => ({ kind: "text", name, text: value });

async function push(files: Record<string, string>): Promise<void> {
  const commit = await repository.commit(files);
  await run("git", ["push", "--quiet", join(direct.dataDir, "git/functions.git"), "HEAD:main"], {
    cwd: repository.dir,
  });
  const report = await direct.sync({ commit });
  assert.equal(report.error, undefined);
}

test("a changed secret is a new version that serves at once, and going back brings the old value back", async () => {
  const { deploys } = direct.agent;
  const first = await direct.deploy("vault", { code: TELLS_ENV, bindings: [secret("A", "a1"), text("V", "v")] });
  const second = await deploys.setSecrets(ref("vault"), { A: "a2", B: "b" }, SERVING, ANN);
  assert.deepEqual([second?.upload?.kind, second?.upload?.number, second?.upload?.secrets], ["secret", 2, ["A", "B"]]);
  assert.deepEqual([second?.artifact, second?.percentage], [first.artifact, 100]);
  assert.deepEqual(await envOf("vault"), { V: "v", A: "a2", B: "b" });
  assert.deepEqual(deploys.secrets(ref("vault")), ["A", "B"]);
  await assert.rejects(
    deploys.deploy(ref("vault"), { versions: [{ version: first.id, percentage: 100 }], force: false }, ANN),
    (error: Error) => failsWith("ERR_SECRETS_CHANGED")(error) && error.message.endsWith("have changed: A, B"),
  );
  await deploys.rollback(ref("vault"), { force: true }, ANN);
  assert.deepEqual(await envOf("vault"), { V: "v", A: "a1" });
  const third = await deploys.setSecrets(ref("vault"), { B: "b3", A: null }, SERVING, ANN);
  assert.deepEqual([await envOf("vault"), third?.upload?.number], [{ V: "v", B: "b3" }, 3]);
  await assert.rejects(deploys.setSecrets(ref("vault"), { NONE: null }, SERVING, ANN), failsWith("ERR_NOT_FOUND"));
  await assert.rejects(deploys.setSecrets(ref("vault"), { V: "x" }, SERVING, ANN), failsWith("ERR_BINDING_TAKEN"));
});

test("secrets of the newest version are changed without deploying it, and not of what is divided", async () => {
  const { deploys } = direct.agent;
  const one = await direct.deploy("newest", { code: TELLS_ENV, bindings: [secret("A", "one")] });
  const two = await direct.upload("newest", { code: TELLS_ENV });
  const three = await deploys.setSecrets(ref("newest"), { B: "three" }, { ...NEWEST, tag: "t", message: "m" }, ANN);
  assert.deepEqual([three?.percentage, three?.upload?.tag, three?.upload?.message], [0, "t", "m"]);
  assert.deepEqual(await envOf("newest"), { A: "one" });
  assert.deepEqual(await envOf(`${three!.id.slice(0, 8)}--newest`), { A: "one", B: "three" });
  const versions = [one, two].map(({ id }) => ({ version: id, percentage: 50 }));
  await deploys.deploy(ref("newest"), { versions, force: false }, ANN);
  await assert.rejects(deploys.setSecrets(ref("newest"), { B: "x" }, SERVING, ANN), failsWith("ERR_SPLIT"));
});

const keeps: { name: string; keep: BindingKind[]; bindings: UploadBinding[]; env: Record<string, unknown> }[] = [
  { name: "secrets alone", keep: ["secret"], bindings: [], env: { S: "s" } },
  { name: "vars of both kinds", keep: ["text", "json"], bindings: [], env: { T: "t", J: [1] } },
  { name: "nothing", keep: [], bindings: [], env: {} },
  {
    name: "what is named wins",
    keep: ["secret", "text"],
    bindings: [text("T", "another"), secret("S", "new")],
    env: { S: "new", T: "another" },
  },
  {
    name: "an inherited one of each",
    keep: [],
    bindings: [
      { kind: "inherit", name: "S" },
      { kind: "inherit", name: "J" },
    ],
    env: { S: "s", J: [1] },
  },
];
for (const { name, keep, bindings, env } of keeps) {
  test(`an upload keeps of the version before: ${name}`, async () => {
    const host = `keep-${keeps.findIndex((entry) => entry.name === name)}`;
    const before: UploadBinding[] = [secret("S", "s"), text("T", "t"), { kind: "json", name: "J", json: [1] }];
    await direct.deploy(host, { code: TELLS_ENV, bindings: before });
    await direct.deploy(host, { code: TELLS_ENV, keep, bindings });
    assert.deepEqual(await envOf(host), env);
  });
}

test("what cannot be inherited is refused by name", async () => {
  await direct.deploy("orphan", { code: TELLS_ENV });
  const inherit = ["A", "B"].map((name): UploadBinding => ({ kind: "inherit", name }));
  await assert.rejects(direct.upload("orphan", { code: TELLS_ENV, bindings: inherit }), (error: Error) => {
    assert.equal(error.message, "inherit binding 'A' is invalid; inherit binding 'B' is invalid");
    return failsWith("ERR_INHERIT")(error);
  });
});

const GIT = (name: string, more = "") => ({
  [`${name}/wrangler.toml`]: `name = "${name}"\nmain = "index.js"\ncompatibility_date = "2026-08-01"\n${more}`,
  [`${name}/index.js`]: TELLS_ENV,
});

test("secrets of a function of git belong to the function: a change keeps the version and is loaded at once", async () => {
  const { deploys, platform } = direct.agent;
  await push(GIT("gitvault", '[vars]\nV = "v"\n'));
  assert.deepEqual(await envOf("gitvault"), { V: "v" });
  const versionOf = async () => (await platform.functions()).find(({ name }) => name === "gitvault")?.version;
  const before = await versionOf();
  assert.equal(await deploys.setSecrets(ref("gitvault"), { S: CANARY }, SERVING, ANN), null);
  assert.deepEqual(await envOf("gitvault"), { V: "v", S: CANARY });
  assert.equal(await versionOf(), before);
  const [deployment] = deploys.deployments(ref("gitvault"));
  assert.deepEqual([deployment?.cause, deployment?.from, deployment?.to], ["secret", before, before]);
  await push(GIT("gitvault", '[vars]\nV = "w"\n'));
  assert.deepEqual(await envOf("gitvault"), { V: "w", S: CANARY });
  assert.deepEqual(await envOf(`${before!.slice(0, 8)}--gitvault`), { V: "v", S: CANARY });
  for (const [hiding, place] of [
    ['[[d1_databases]]\nbinding = "S"\n', "4"],
    ['[vars]\nS = "no secret"\n', "5"],
  ] as const) {
    await push(GIT("gitvault", hiding));
    const { error, state } = (await platform.functions()).find(({ name }) => name === "gitvault")!;
    assert.deepEqual([state, error?.code, `${error?.position?.line}`], ["failed", "ERR_BINDING_TAKEN", place]);
    assert.deepEqual(await envOf("gitvault"), { V: "w", S: CANARY });
  }
  await push(GIT("gitvault", '[vars]\nV = "w"\n'));
  await assert.rejects(deploys.setSecrets(ref("gitvault"), { V: "x" }, SERVING, ANN), failsWith("ERR_BINDING_TAKEN"));
});

test("what was deployed directly keeps its secrets when git takes it over", async () => {
  await direct.deploy("adopted", { code: TELLS_ENV, bindings: [secret("S", "kept")] });
  await push({
    ...GIT("adopted"),
    "adopted/index.js": `import { env } from "cloudflare:workers";\nif (env.S !== "kept") throw new Error("no secret");\n${TELLS_ENV}`,
  });
  assert.deepEqual(await envOf("adopted"), { S: "kept" });
  assert.deepEqual(direct.agent.deploys.secrets(ref("adopted")), ["S"]);
});

test("a secret that the top level cannot live without is not taken away, and a message never tells it", async () => {
  const needs = `import { env } from "cloudflare:workers";\nif (!env.KEY || env.KEY === "${CANARY}2") throw new Error("the key is " + env.KEY);\n${TELLS_ENV}`;
  await direct.deploy("needy", { code: needs, bindings: [secret("KEY", "fine")] });
  const { deploys } = direct.agent;
  await assert.rejects(deploys.setSecrets(ref("needy"), { KEY: null }, SERVING, ANN), failsWith("ERR_LOAD"));
  await assert.rejects(deploys.setSecrets(ref("needy"), { KEY: `${CANARY}2` }, SERVING, ANN), (error: Error) => {
    assert.match(error.message, /the key is \[secret\]/);
    return !error.message.includes(CANARY);
  });
  assert.deepEqual(await envOf("needy"), { KEY: "fine" });
});

test("B8: a secret is in no file, no log and no answer of the platform", async () => {
  const { deploys, platform } = direct.agent;
  await direct.deploy("canary", { code: TELLS_ENV, bindings: [secret("TOKEN", `${CANARY}-a`)] });
  await deploys.setSecrets(ref("canary"), { OTHER: `${CANARY}-b` }, SERVING, ANN);
  assert.deepEqual(await envOf("canary"), { TOKEN: `${CANARY}-a`, OTHER: `${CANARY}-b` });
  const known = [deploys.versions(ref("canary")), deploys.deployments(ref("canary")), await platform.status()];
  const told = [...known, (await platform.events({ limit: 500 })).events, await platform.function("canary")];
  assert.equal(JSON.stringify(told).includes(CANARY), false);
  assert.equal(direct.output().includes(CANARY), false);
  const found: string[] = [];
  for (const entry of await readdir(direct.dataDir, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    if ((await readFile(path)).includes(CANARY)) found.push(path);
  }
  // The module of another test spells it out itself.
  const own = deploys.version(ref("needy"), "latest").artifact.slice(-64);
  assert.deepEqual(
    found.filter((path) => !path.endsWith(own)),
    [],
  );
});

test("B2: env up to a mebibyte loads, and what is more is refused with the limit", async () => {
  await direct.deploy("large", {
    code: TELLS_ENV,
    bindings: [text("A", "é".repeat(200_000)), secret("S", "s".repeat(200_000))],
  });
  assert.equal(String((await envOf("large")).S).length, 200_000);
  const tooLarge = direct.upload("large", { code: answers("x"), bindings: [text("A", "x".repeat(2 ** 20))] });
  await assert.rejects(tooLarge, (error: Error) => failsWith("ERR_TOO_LARGE")(error) && /1048576/.test(error.message));
});
