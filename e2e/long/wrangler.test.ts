// What people do with the stock wrangler, against a real agent: the commands that few use, and all that can be given to them. Takes
// minutes: run by npm run test:long.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { helloFiles } from "../wrangler-client.js";
import { fine, startScene, TELLS } from "../wrangler-scene.js";

const { agent, server, project, text } = await startScene({ after });

test("wrangler says who it is, and deploys vars, environments, routes with domains, and modules of any name", {
  concurrency: true,
}, async (t) => {
  const tests = [
    t.test("whoami", async () => {
      const hello = await project(helloFiles("who", "x"));
      assert.match(fine(await hello.run(["whoami"])).output, /main/);
    }),
    t.test("deploys vars, flags, and vars of the command line", async () => {
      const settings =
        'compatibility_flags = ["nodejs_compat"]\nkeep_vars = false\n[vars]\nA = "text"\nB = { deep = [1, true] }\n';
      const vars = await project({ ...helloFiles("vars", "x", settings), "src/index.js": TELLS });
      fine(await vars.run(["deploy", "--var", "C:given"]));
      assert.deepEqual(JSON.parse(await text("vars")), { A: "text", B: { deep: [1, true] }, C: "given" });
      const [version] = JSON.parse(fine(await vars.run(["versions", "list", "--json"])).stdout);
      const view = JSON.parse(fine(await vars.run(["versions", "view", version.id, "--json"])).stdout);
      assert.deepEqual(view.resources.script_runtime.compatibility_flags, ["nodejs_compat"]);
    }),
    t.test("deploys an environment under its own name, and nothing in a dry run", async () => {
      const more = '[vars]\nWHERE = "top"\n[env.staging.vars]\nWHERE = "staging"\n';
      const staged = await project({ ...helloFiles("staged", "x", more), "src/index.js": TELLS });
      fine(await staged.run(["deploy", "--dry-run"]));
      assert.equal((await agent.request("staged")).status, 404);
      fine(await staged.run(["deploy", "--env", "staging"]));
      assert.deepEqual(JSON.parse(await text("staged-staging")), { WHERE: "staging" });
    }),
    t.test("a route and a custom domain in one file both serve", async () => {
      const routes =
        'routes = [{ pattern = "r.both.example.com/*", zone_name = "example.com" }, { pattern = "d.both.example.com", custom_domain = true }]\n';
      const both = await project(helloFiles("both", "on both", routes));
      fine(await both.run(["deploy"]));
      assert.deepEqual(await Promise.all(["r", "d"].map((label) => text(`${label}.both.example.com`))), [
        "on both",
        "on both",
      ]);
    }),
    t.test("a module of any name can be downloaded, with a header that can be sent", async () => {
      const name = "größe-文.js";
      const odd = await project({
        "wrangler.toml": `name = "odd"\nmain = "${name}"\nno_bundle = true\ncompatibility_date = "2026-04-01"\n`,
        [name]: "export default { fetch: () => new Response('odd') };\n",
      });
      fine(await odd.run(["deploy"]));
      const headers = { authorization: `Bearer ${server.token}` };
      const path = "/client/v4/accounts/main/workers/scripts/odd/content/v2";
      const content = await agent.request("localhost", path, { headers });
      assert.deepEqual([content.status, decodeURI(String(content.headers["cf-entrypoint"]))], [200, name]);
    }),
  ];
  await Promise.all(tests);
});

test("wrangler sets, lists and deletes secrets, in versions too, and nothing shows them (B8)", async () => {
  const canary = "canary-of-wrangler";
  const safe = await project({ ...helloFiles("safe", "x", '[vars]\nA = "var"\n'), "src/index.js": TELLS });
  fine(await safe.run(["secret", "put", "FIRST"], { input: canary }));
  fine(await safe.run(["deploy"]));
  assert.deepEqual(JSON.parse(await text("safe")), { A: "var", FIRST: canary });
  await safe.write({ "bulk.json": JSON.stringify({ SECOND: `${canary}2`, THIRD: "3" }) });
  fine(await safe.run(["secret", "bulk", "bulk.json"]));
  fine(await safe.run(["secret", "delete", "THIRD"]));
  assert.deepEqual(JSON.parse(await text("safe")), { A: "var", FIRST: canary, SECOND: `${canary}2` });
  const listed = JSON.parse(fine(await safe.run(["secret", "list"])).stdout);
  assert.deepEqual(
    listed.map(({ name }: { name: string }) => name),
    ["FIRST", "SECOND"],
  );
  fine(await safe.run(["versions", "secret", "put", "LATER"], { input: `${canary}3` }));
  assert.ok(!(await text("safe")).includes("LATER"));
  const [serving, newest] = await Promise.all([
    safe.run(["versions", "secret", "list"]),
    safe.run(["versions", "secret", "list", "--latest-version"]),
  ]);
  assert.ok(!fine(serving).output.includes("LATER"));
  assert.match(fine(newest).output, /Secret Name: LATER/);
  const base = "/client/v4/accounts/main/workers/scripts/safe";
  for (const path of ["/settings", "/versions", "/secrets", "/content/v2", "/deployments"]) {
    const { text: answer } = await agent.request("localhost", base + path, {
      headers: { authorization: `Bearer ${server.token}` },
    });
    assert.ok(!answer.includes(canary), path);
  }
  assert.ok(!agent.output().includes(canary));
});

test("wrangler deletes a function, and one that is not there is none", async () => {
  const gone = await project(helloFiles("gone", "x"));
  fine(await gone.run(["deploy"]));
  assert.equal(await text("gone"), "x");
  assert.match(fine(await gone.run(["delete", "--force"])).output, /Successfully deleted/);
  assert.equal((await agent.request("gone")).status, 404);
  const versions = await gone.run(["versions", "list"]);
  assert.notEqual(versions.code, 0);
  assert.match(versions.output, /10007/);
});

test("wrangler lists versions and deployments, and is told why there is no cron", async () => {
  const paged = await project(helloFiles("paged", "one"));
  fine(await paged.run(["deploy"]));
  await paged.write(helloFiles("paged", "two"));
  fine(await paged.run(["deploy", "--message", "slowly"]));
  const [versions, deployments] = await Promise.all([
    paged.run(["versions", "list", "--json"]),
    paged.run(["deployments", "list"]),
  ]);
  assert.equal(JSON.parse(fine(versions).stdout).length, 2);
  assert.match(fine(deployments).output, /slowly/);
  fine(await paged.run(["rollback", "-y", "--message", "back"]));
  assert.match(fine(await paged.run(["deployments", "list"])).output, /Rollback/);
  await paged.write(helloFiles("paged", "x", '[triggers]\ncrons = ["* * * * *"]\n'));
  const cron = await paged.run(["triggers", "deploy"]);
  assert.match(cron.output, /cron triggers are not supported here/);
});

test("wrangler lists and describes databases, and is told why one cannot be made or a statement run", async () => {
  const shop = await project(helloFiles("shop", "x"));
  const run = (...args: string[]) => shop.run(["d1", ...args]);
  fine(await run("create", "shop-data"));
  const execute = (sql: string) => run("execute", "shop-data", "--remote", "--json", "--command", sql);
  fine(await execute("CREATE TABLE orders(id INTEGER PRIMARY KEY, what TEXT)"));
  const [listed, twice, wrong, described] = await Promise.all([
    run("list", "--json"),
    run("create", "shop-data"),
    execute("INSERT INTO orders VALUES (9000, 'x'); SELECT nope"),
    run("info", "shop-data", "--json"),
  ]);
  assert.ok(JSON.parse(fine(listed).stdout).some(({ name }: { name: string }) => name === "shop-data"));
  assert.match(twice.output, /already exists/);
  assert.notEqual(wrong.code, 0);
  assert.match(wrong.output, /no such column: nope[\s\S]*SQLITE_ERROR/);
  assert.equal(JSON.parse(fine(described).stdout).num_tables, 1);
  const { uuid } = JSON.parse(described.stdout) as { uuid: string };
  const binding = `[[d1_databases]]\nbinding = "DB"\ndatabase_name = "shop-data"\ndatabase_id = "${uuid}"\n`;
  const bound = await project({
    ...helloFiles("bound", "x", binding),
    "migrations/0001_first.sql": "CREATE TABLE t(a);\n",
  });
  fine(await bound.run(["deploy"]));
  assert.match(fine(await bound.run(["d1", "migrations", "list", "shop-data", "--remote"])).output, /0001_first/);
  const refused = await bound.run(["d1", "delete", "shop-data", "-y"]);
  assert.notEqual(refused.code, 0);
  assert.match(refused.output, /bound/);
});
