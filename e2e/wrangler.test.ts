// What people do with the stock wrangler, against a real agent. Its commands are slow to start, so that what does not
// depend on each other runs side by side.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, test } from "node:test";
import { logIn, startProvider } from "../agent/auth/testing/provider.js";
import { createRepository, freePort, functionFiles, startAgent } from "./harness.js";
import { createProject, helloFiles, type Ran, type WranglerProject } from "./wrangler-client.js";

const port = await freePort();
const publicUrl = `http://localhost:${port}`;
const provider = await startProvider({ redirectUri: `${publicUrl}/auth/callback` });
const agent = await startAgent({ port, env: { ...provider.environment, OIDC_ALLOW: "*" } });
const projects: WranglerProject[] = [];
after(async () => {
  await agent.stop();
  await provider.close();
  for (const project of projects) await project.remove();
});
const server = { publicUrl, token: await agent.token() };

async function project(files: Record<string, string | Uint8Array>): Promise<WranglerProject> {
  const made = await createProject(server, files);
  projects.push(made);
  return made;
}

function fine(ran: Ran): Ran {
  assert.equal(ran.code, 0, ran.output);
  return ran;
}

const idIn = ({ output }: Ran) => /Version ID:\s+([0-9a-f-]{36})/.exec(output)?.[1] ?? assert.fail(output);
const text = async (host: string, headers = {}) => (await agent.request(host, "/", { headers })).text;

const TELLS = "export default { fetch: (request, { D1, ...env }) => Response.json(env) };\n";

test("wrangler says who it is, and deploys functions with all kinds of modules", { concurrency: true }, async (t) => {
  const tests = [
    t.test("whoami", async () => {
      const hello = await project(helloFiles("who", "x"));
      assert.match(fine(await hello.run(["whoami"])).output, /main/);
    }),
    t.test("deploys a new function and an existing one again, with message and tag", async () => {
      const hello = await project(helloFiles("hello", "first"));
      const first = fine(await hello.run(["deploy"]));
      assert.ok(first.output.includes(`https://hello.localhost:${port}/#`), first.output);
      assert.equal(await text("hello"), "first");
      await hello.write(helloFiles("hello", "second"));
      const second = idIn(fine(await hello.run(["deploy", "--message", "why not", "--tag", "v2"])));
      assert.equal(await text("hello"), "second");
      const shown = fine(await hello.run(["versions", "view", second])).output;
      assert.match(shown, /v2/);
      assert.match(shown, /why not/);
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
    t.test("deploys wasm, text and data, with source maps", async () => {
      const wasm = await readFile(new URL("../../examples/wasm/src/fibonacci.wasm", import.meta.url));
      const code = `import wasm from "./fibonacci.wasm"; import page from "./page.txt"; import raw from "./raw.bin";
        const { exports } = new WebAssembly.Instance(wasm);
        export default { fetch: () => Response.json([Object.keys(exports), page, [...new Uint8Array(raw)]]) };`;
      const modules = await project({
        ...helloFiles("modules", "x", "upload_source_maps = true\n"),
        ...{ "src/index.js": code, "src/page.txt": "a page", "src/fibonacci.wasm": wasm },
        "src/raw.bin": Buffer.from([0, 255, 13, 10, 45, 45]),
      });
      fine(await modules.run(["deploy"]));
      const [names, page, raw] = JSON.parse(await text("modules"));
      assert.ok(names.includes("fibonacci"), String(names));
      assert.deepEqual([page, raw], ["a page", [0, 255, 13, 10, 45, 45]]);
    }),
    t.test("deploys several modules as they are, folders and an empty one too", async () => {
      const files: Record<string, string> = {
        ...helloFiles("unbundled", "x", "no_bundle = true\nfind_additional_modules = true\n"),
        "src/index.js": `import { a } from "./lib/a.js"; import "./lib/empty.js"; import t from "./lib/t.txt";
          export default { fetch: () => new Response(a + t) };`,
        ...{ "src/lib/a.js": 'export const a = "from a, ";', "src/lib/empty.js": "", "src/lib/t.txt": "from text" },
      };
      const unbundled = await project({
        ...files,
        "wrangler.toml": `${files["wrangler.toml"]}[[rules]]\ntype = "ESModule"\nglobs = ["**/*.js"]\n`,
      });
      fine(await unbundled.run(["deploy", "--no-bundle"]));
      assert.equal(await text("unbundled"), "from a, from text");
      const path = "/client/v4/accounts/main/workers/scripts/unbundled/content/v2";
      const headers = { authorization: `Bearer ${server.token}` };
      const form = (await agent.request("localhost", path, { headers })).text;
      assert.ok(form.includes(files["src/index.js"] ?? "") && form.includes(files["src/lib/a.js"] ?? ""), form);
    }),
    t.test("deploys an environment under its own name, and nothing in a dry run", async () => {
      const more = '[vars]\nWHERE = "top"\n[env.staging.vars]\nWHERE = "staging"\n';
      const staged = await project({ ...helloFiles("staged", "x", more), "src/index.js": TELLS });
      fine(await staged.run(["deploy", "--dry-run"]));
      assert.equal((await agent.request("staged")).status, 404);
      fine(await staged.run(["deploy", "--env", "staging"]));
      assert.deepEqual(JSON.parse(await text("staged-staging")), { WHERE: "staging" });
    }),
    t.test("deploys to exact hosts, and says why a cron is refused", async () => {
      const shop = await project(
        helloFiles("shop", "open", 'routes = [{ pattern = "shop.example.com/*", zone_name = "example.com" }]\n'),
      );
      fine(await shop.run(["deploy"]));
      assert.equal(await text("shop.example.com"), "open");
      const taken = await project(
        helloFiles("robber", "x", 'routes = [{ pattern = "shop.example.com/*", zone_name = "example.com" }]\n'),
      );
      const refused = await taken.run(["deploy"]);
      assert.notEqual(refused.code, 0);
      assert.equal(await text("shop.example.com"), "open");
      await shop.write(helloFiles("shop", "x", '[triggers]\ncrons = ["* * * * *"]\n'));
      const cron = await shop.run(["triggers", "deploy"]);
      assert.match(cron.output, /cron triggers are not supported here/);
    }),
    t.test("names the bindings that are not supported, and the place of an error at the top level", async () => {
      const kv = '[[kv_namespaces]]\nbinding = "CACHE"\nid = "1"\n[[services]]\nbinding = "OTHER"\nservice = "hello"\n';
      const bound = await project(helloFiles("bound", "x", kv));
      const refused = await bound.run(["versions", "upload"]);
      assert.notEqual(refused.code, 0);
      assert.match(refused.output, /KV namespace "CACHE", service binding "OTHER"/);
      const broken = await project({
        ...helloFiles("broken", "x"),
        "src/index.js": 'throw new Error("no start");\nexport default {};\n',
      });
      const thrown = await broken.run(["deploy"]);
      assert.notEqual(thrown.code, 0);
      assert.match(thrown.output, /no start[\s\S]*10021/);
      assert.equal((await agent.request("broken")).status, 404);
    }),
  ];
  await Promise.all(tests);
});

test("wrangler uploads, lists, divides and rolls back versions", async () => {
  const paged = await project(helloFiles("gradual", "one"));
  const one = idIn(fine(await paged.run(["deploy"])));
  await paged.write(helloFiles("gradual", "two"));
  const uploaded = fine(
    await paged.run(["versions", "upload", "--preview-alias", "next", "--tag", "t", "--message", "m"]),
  );
  const two = idIn(uploaded);
  assert.doesNotMatch(uploaded.output, /workers\.dev/);
  assert.deepEqual(
    [await text("gradual"), await text("next--gradual"), await text(`${two.slice(0, 8)}--gradual`)],
    ["one", "two", "two"],
  );
  const listed = JSON.parse(fine(await paged.run(["versions", "list", "--json"])).stdout);
  assert.deepEqual(listed.map(({ id }: { id: string }) => id).sort(), [one, two].sort());

  const split = fine(await paged.run(["versions", "deploy", `${one}@25`, `${two}@75`, "-y", "--message", "slowly"]));
  assert.match(split.output, /at 25%[\s\S]*at 75%/);
  const overridden = { "cloudflare-workers-version-overrides": `gradual="${one}"` };
  assert.equal(await text("gradual", overridden), "one");
  const seen = new Set(await Promise.all(Array.from({ length: 60 }, () => text("gradual"))));
  assert.deepEqual([...seen].sort(), ["one", "two"]);

  const [status, list, during] = await Promise.all([
    paged.run(["deployments", "status", "--json"]),
    paged.run(["deployments", "list"]),
    paged.run(["secret", "put", "KEY"], { input: "x" }),
  ]);
  assert.deepEqual(
    JSON.parse(fine(status).stdout)
      .versions.map((share: { percentage: number }) => share.percentage)
      .sort(),
    [25, 75],
  );
  assert.match(fine(list).output, /slowly/);
  assert.notEqual(during.code, 0);
  assert.match(during.output, /isn't currently deployed/);

  fine(await paged.run(["rollback", one, "-y", "--message", "back"]));
  assert.equal(await text("gradual"), "one");
  assert.match(fine(await paged.run(["deployments", "list"])).output, /Rollback/);
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

test("wrangler is told why git's function does not move, and serves routes and domains of one file", {
  concurrency: true,
}, async (t) => {
  const tests = [
    t.test("a deploy to a function of git is refused in our words, and changes nothing", async () => {
      const repository = await createRepository();
      t.after(() => repository.remove());
      await repository.commit(functionFiles("owned", "by git"));
      const pushed = await repository.push(agent);
      assert.ok(pushed.ok, pushed.output);
      const owned = await project(helloFiles("owned", "by hand"));
      const { code, output } = await owned.run(["deploy"]);
      assert.notEqual(code, 0);
      assert.match(output, /declared by the source "default"/);
      assert.match(output, /10040/);
      assert.equal(await text("owned"), "by git");
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

test("two users cannot touch each other's functions (A7)", async () => {
  const tokenOf = async (person: string) => {
    const { access_token } = await logIn({ publicUrl, person });
    const headers = { authorization: `Bearer ${access_token}` };
    const body = JSON.stringify({ name: "ci", scopes: ["deploy"] });
    const made = await agent.request("localhost", "/api/v1/tokens", { method: "POST", headers, body });
    assert.ok(made.status < 300, made.text);
    return JSON.parse(made.text).token as string;
  };
  const [ann, ben] = [
    { token: await tokenOf("ann"), account: "ann" },
    { token: await tokenOf("ben"), account: "ben" },
  ];
  const notes = await project(helloFiles("notes", "of ann"));
  fine(await notes.run(["deploy"], ann));
  assert.equal(await text("notes"), "of ann");
  const theft = await project(helloFiles("notes", "of ben"));
  const attempts = await Promise.all([
    theft.run(["deploy"], ben),
    theft.run(["deploy"], { ...ben, account: "ann" }),
    theft.run(["secret", "put", "KEY"], { ...ben, account: "ann", input: "x" }),
    theft.run(["delete", "--force"], { ...ben, account: "ann" }),
  ]);
  for (const { code, output } of attempts) assert.notEqual(code, 0, output);
  assert.equal(await text("notes"), "of ann");
  assert.deepEqual(JSON.parse(fine(await notes.run(["versions", "list", "--json"], ann)).stdout).length, 1);
  for (const { token } of [ann, ben]) assert.ok(!agent.output().includes(token));
});

test("the API answers on its own host only, never on an address or another host (B4)", async () => {
  const headers = { authorization: `Bearer ${server.token}` };
  const ask = async (host: string, more = {}) =>
    (await agent.request(host, "/api/v1/status", { headers: { ...headers, ...more } })).status;
  assert.equal(await ask("localhost"), 200);
  assert.equal(await ask(`localhost:${port}`), 200);
  for (const host of ["127.0.0.1", `127.0.0.1:${port}`, "[::1]", "example.com", "nothing.localhost", "evillocalhost"]) {
    assert.equal(await ask(host), 404, host);
    assert.equal(await ask(host, { "x-forwarded-host": "localhost" }), 404, `${host}, forwarded`);
  }
  assert.equal(await ask("hello", { "x-forwarded-host": "localhost" }), 200, "the function's own answer");
  assert.equal(await text("hello"), "second");
});
