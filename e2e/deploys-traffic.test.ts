import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ANN, answers, type DirectAgent, failsWith, ref, startDirect } from "./direct.js";

let direct: DirectAgent;
before(async () => {
  direct = await startDirect();
});
after(() => direct?.stop());

async function twoVersions(name: string): Promise<[string, string]> {
  const one = await direct.deploy(name, { code: answers("one") });
  const two = await direct.upload(name, { code: answers("two") });
  return [one.id, two.id];
}

async function split(name: string, shares: Record<string, number>): Promise<void> {
  const versions = Object.entries(shares).map(([version, percentage]) => ({ version, percentage }));
  await direct.agent.deploys.deploy(ref(name), { versions, force: false }, ANN);
}

async function shareOf(
  text: string,
  name: string,
  requests: number,
  headers?: (index: number) => Record<string, string>,
) {
  let hits = 0;
  for (let sent = 0; sent < requests; sent += 50) {
    const batch = Array.from({ length: 50 }, (_, index) => direct.text(name, headers?.(sent + index)));
    hits += (await Promise.all(batch)).filter((answer) => answer === text).length;
  }
  return hits / requests;
}

test("a divided deployment divides the requests by its percentages, on custom hosts too", async () => {
  const [one, two] = await twoVersions("parted");
  await direct.agent.deploys.setHosts(ref("parted"), { kind: "route", hosts: ["shop.example.com"] }, ANN);
  await split("parted", { [one]: 80, [two]: 20 });
  const [status] = await direct.agent.platform.functions({ state: "gradual" });
  assert.deepEqual([status?.name, status?.version, status?.split?.length], ["parted", one, 2]);
  // 1,000 draws at 0.2 lie within 0.12 and 0.28 but for one time in 10^9.
  for (const host of ["parted", "shop.example.com"]) {
    const share = await shareOf("two", host, 1_000);
    assert.ok(share > 0.12 && share < 0.28, `${host}: ${share}`);
  }
  const deployment = direct.agent.deploys.deployments(ref("parted"))[0];
  assert.deepEqual(
    [deployment?.to, deployment?.split],
    [one, [one, two].map((version, index) => ({ version, percentage: index ? 20 : 80 }))],
  );
  await split("parted", { [two]: 100 });
  assert.equal(await shareOf("two", "parted", 50), 1);
  assert.equal((await direct.agent.platform.functions({ state: "gradual" })).length, 0);
});

test("requests with the same version key stay on their version, and keys spread as the percentages say", async () => {
  const [one, two] = await twoVersions("sticky");
  await split("sticky", { [one]: 50, [two]: 50 });
  const key = (index: number) => ({ "cloudflare-workers-version-key": `user-${index}` });
  const first = await Promise.all(Array.from({ length: 400 }, (_, index) => direct.text("sticky", key(index))));
  const again = await Promise.all(Array.from({ length: 400 }, (_, index) => direct.text("sticky", key(index))));
  assert.deepEqual(again, first);
  const share = first.filter((text) => text === "two").length / 400;
  assert.ok(share > 0.35 && share < 0.65, String(share));
  await split("sticky", { [one]: 20, [two]: 80 });
  const later = await Promise.all(Array.from({ length: 400 }, (_, index) => direct.text("sticky", key(index))));
  assert.ok(
    later.every((text, index) => text === "two" || first[index] === "one"),
    "a key left the version that grew",
  );
});

test("an override names a version of the deployment, and nothing else", async () => {
  const [one, two] = await twoVersions("chosen");
  await split("chosen", { [one]: 100, [two]: 0 });
  const override = (value: string) => ({ "cloudflare-workers-version-overrides": value });
  assert.equal(await direct.text("chosen", override(`chosen="${two}"`)), "two");
  assert.equal(await direct.text("chosen", override(`other="${one}", chosen="${two}"`)), "two");
  const third = await direct.upload("chosen", { code: answers("three") });
  for (const value of [`chosen="${third.id}"`, `other="${two}"`, `chosen=${two}`, `chosen="${two}`, ""]) {
    assert.equal(await direct.text("chosen", override(value)), "one", value);
  }
});

const wrong: [string, { version: string; percentage: number }[]][] = [
  [
    "percentages that do not sum to 100",
    [
      { version: "A", percentage: 60 },
      { version: "B", percentage: 30 },
    ],
  ],
  [
    "four decimals",
    [
      { version: "A", percentage: 33.3333 },
      { version: "B", percentage: 66.6667 },
    ],
  ],
  [
    "a negative share",
    [
      { version: "A", percentage: 110 },
      { version: "B", percentage: -10 },
    ],
  ],
  ["no version", []],
  [
    "one version twice",
    [
      { version: "A", percentage: 50 },
      { version: "A", percentage: 50 },
    ],
  ],
  ["a share that is no number", [{ version: "A", percentage: Number.NaN }]],
];
test("a deployment is refused for what is no division of the traffic", async () => {
  const [one, two] = await twoVersions("refused");
  const ids: Record<string, string> = { A: one, B: two };
  for (const [name, versions] of wrong) {
    const named = versions.map(({ version, percentage }) => ({ version: ids[version]!, percentage }));
    const deployed = direct.agent.deploys.deploy(ref("refused"), { versions: named, force: false }, ANN);
    await assert.rejects(deployed, failsWith("ERR_INVALID"), name);
  }
  await assert.rejects(split("refused", { ffffffff: 100 }), failsWith("ERR_VERSION_NOT_FOUND"));
  await split("refused", { [one]: 33.333, [two]: 66.667 });
});

test("a second rollback goes further back, and a version is found by prefix, alias and tag", async () => {
  const { deploys } = direct.agent;
  const versions = [];
  for (const text of ["one", "two", "three"])
    versions.push(await direct.deploy("back", { code: answers(text), tag: `v-${text}` }));
  await deploys.rollback(ref("back"), {}, ANN);
  assert.equal(await direct.text("back"), "two");
  await deploys.rollback(ref("back"), {}, ANN);
  assert.equal(await direct.text("back"), "one");
  await assert.rejects(deploys.rollback(ref("back"), {}, ANN), failsWith("ERR_VERSION_NOT_FOUND"));
  await deploys.rollback(ref("back"), { to: "v-three" }, ANN);
  assert.equal(await direct.text("back"), "three");
  await deploys.setAlias(ref("back"), "stable", versions[0]!.id.replaceAll("-", "").slice(0, 9), ANN);
  assert.equal(await direct.text("stable--back"), "one");
  assert.equal(deploys.version(ref("back"), "stable").id, versions[0]!.id);
  await deploys.deleteAlias(ref("back"), "stable", ANN);
  assert.equal((await direct.request("stable--back")).status, 404);
  await assert.rejects(deploys.deleteAlias(ref("back"), "stable", ANN), failsWith("ERR_NOT_FOUND"));
});

test("concurrent deploys of one function are done one after the other, and none is half done", async () => {
  const { deploys } = direct.agent;
  await direct.deploy("busy", { code: answers("first") });
  const texts = Array.from({ length: 12 }, (_, index) => `text ${index}`);
  const versions = await Promise.all(texts.map((text) => direct.deploy("busy", { code: answers(text) })));
  const numbers = versions.map(({ upload }) => upload!.number).sort((a, b) => a - b);
  assert.deepEqual(
    numbers,
    texts.map((_, index) => index + 2),
  );
  const deployments = deploys.deployments(ref("busy"));
  assert.equal(deployments.length, 13);
  for (const [index, { from }] of deployments.slice(0, -1).entries()) assert.equal(from, deployments[index + 1]!.to);
  const [latest] = await direct.agent.platform.functions().then((all) => all.filter(({ name }) => name === "busy"));
  assert.equal(latest?.version, deployments[0]?.to);
  const winner = versions.findIndex(({ id }) => id === latest?.version);
  assert.equal(await direct.text("busy"), texts[winner]);
});

test("a function that is removed answers 404, comes back by a restore, and its name stays its account's", async () => {
  const { deploys, platform } = direct.agent;
  await direct.deploy("gone", { code: answers("here") });
  await deploys.remove(ref("gone"), { force: false }, ANN);
  assert.equal((await direct.request("gone")).status, 404);
  assert.throws(() => deploys.versions(ref("gone")), failsWith("ERR_NOT_FOUND"));
  await assert.rejects(direct.upload("gone", { code: answers("mine") }, "eve"), failsWith("ERR_NAME_TAKEN"));
  await platform.restore("gone", "ann");
  assert.equal(await direct.text("gone"), "here");
  await deploys.remove(ref("gone"), { force: false }, ANN);
  const again = await direct.deploy("gone", { code: answers("again") });
  assert.deepEqual([again.upload?.number, await direct.text("gone")], [2, "again"]);
});

test("hosts asked for as routes and as domains are replaced apart, and forgotten by a removal", async () => {
  const hosted = ref("hosted");
  const { deploys } = direct.agent;
  await direct.deploy("hosted", { code: answers("hosted") });
  const hosts = async () => (await direct.agent.platform.function("hosted"))?.hosts ?? [];
  const [a, b, c] = ["a.example.net", "b.example.net", "c.example.net"] as const;
  await deploys.setHosts(hosted, { kind: "route", hosts: [a, b] }, ANN);
  await deploys.setHosts(hosted, { kind: "domain", hosts: [b, c] }, ANN);
  assert.deepEqual(await hosts(), [a, b, c]);
  for (const host of [a, b, c]) assert.equal(await direct.text(host), "hosted");
  await deploys.setHosts(hosted, { kind: "domain", hosts: [c] }, ANN);
  assert.deepEqual(await hosts(), [a, b, c]);
  await deploys.setHosts(hosted, { kind: "route", hosts: [] }, ANN);
  assert.deepEqual(await hosts(), [c]);
  await deploys.remove(hosted, { force: false }, ANN);
  await direct.deploy("hosted", { code: answers("hosted") });
  await deploys.setHosts(hosted, { kind: "route", hosts: [a] }, ANN);
  assert.deepEqual(await hosts(), [a]);
});

test("functions of another account are not there, for reading and for writing", async () => {
  const { deploys } = direct.agent;
  await direct.deploy("anns", { code: answers("anns") }, "ann");
  const eve = ref("anns", "eve");
  assert.throws(() => deploys.versions(eve), failsWith("ERR_NOT_FOUND"));
  assert.throws(() => deploys.secrets(eve), failsWith("ERR_NOT_FOUND"));
  await assert.rejects(deploys.remove(eve, { force: true }, ANN), failsWith("ERR_NOT_FOUND"));
  await assert.rejects(deploys.setHosts(eve, { kind: "route", hosts: [] }, ANN), failsWith("ERR_NOT_FOUND"));
  await assert.rejects(deploys.pin(eve, "latest", { version: "latest" }, ANN), failsWith("ERR_NOT_FOUND"));
  await assert.rejects(direct.upload("anns", { code: answers("eves") }, "eve"), failsWith("ERR_NAME_TAKEN"));
  await deploys.setHosts(ref("anns", "ann"), { kind: "route", hosts: ["anns.example.com"] }, ANN);
  await direct.deploy("eves", { code: answers("eves") }, "eve");
  await assert.rejects(
    deploys.setHosts(ref("eves", "eve"), { kind: "route", hosts: ["anns.example.com"] }, ANN),
    failsWith("ERR_CONFLICT"),
  );
  for (const host of ["localhost", "x.localhost", "127.0.0.1", "*.example.com", "-a.example.com", "com"]) {
    await assert.rejects(
      deploys.setHosts(ref("eves", "eve"), { kind: "route", hosts: [host] }, ANN),
      failsWith("ERR_INVALID"),
      host,
    );
  }
  assert.deepEqual(
    (await direct.agent.platform.functions({ account: "ann" })).map(({ name }) => name),
    ["anns"],
  );
});

test("settings take effect: no host of the function itself, no hosts of its versions", async () => {
  const { deploys } = direct.agent;
  const old = await direct.deploy("hidden", { code: answers("old") });
  await direct.deploy("hidden", { code: answers("new") });
  const prefix = `${old.id.slice(0, 8)}--hidden`;
  assert.equal(await direct.text(prefix), "old");
  const before = deploys.settings(ref("hidden"));
  assert.deepEqual(before, { tags: [], logpush: false, observability: false, enabled: true, previews: true });
  const after = await deploys.setSettings(
    ref("hidden"),
    { enabled: false, previews: false, tags: ["cf:service=x"] },
    ANN,
  );
  assert.deepEqual(after, { ...before, enabled: false, previews: false, tags: ["cf:service=x"] });
  assert.equal((await direct.request("hidden")).status, 404);
  assert.equal((await direct.request(prefix)).status, 404);
  assert.equal(deploys.version(ref("hidden"), old.id).url, null);
  await deploys.setSettings(ref("hidden"), { enabled: true }, ANN);
  assert.equal(await direct.text("hidden"), "new");
});
