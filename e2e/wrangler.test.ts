// What people do with the stock wrangler, against a real agent; more of it in long/wrangler.test.ts. Its commands are slow to start,
// so that what does not depend on each other runs side by side.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, test } from "node:test";
import { createRepository, functionFiles } from "./harness.js";
import { helloFiles, type Ran } from "./wrangler-client.js";
import { fine, startScene } from "./wrangler-scene.js";

const { agent, port, server, project, text, tokenOf } = await startScene({ after });

const idIn = ({ output }: Ran) => /Version ID:\s+([0-9a-f-]{36})/.exec(output)?.[1] ?? assert.fail(output);
test("wrangler deploys functions with all kinds of modules", { concurrency: true }, async (t) => {
  const tests = [
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
    t.test("deploys to exact hosts, and to none that another function has", async () => {
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

test("wrangler uploads, divides and rolls back versions", async () => {
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

  const split = fine(await paged.run(["versions", "deploy", `${one}@25`, `${two}@75`, "-y", "--message", "slowly"]));
  assert.match(split.output, /at 25%[\s\S]*at 75%/);
  const overridden = { "cloudflare-workers-version-overrides": `gradual="${one}"` };
  assert.equal(await text("gradual", overridden), "one");
  const seen = new Set(await Promise.all(Array.from({ length: 60 }, () => text("gradual"))));
  assert.deepEqual([...seen].sort(), ["one", "two"]);

  const [status, during] = await Promise.all([
    paged.run(["deployments", "status", "--json"]),
    paged.run(["secret", "put", "KEY"], { input: "x" }),
  ]);
  assert.deepEqual(
    JSON.parse(fine(status).stdout)
      .versions.map((share: { percentage: number }) => share.percentage)
      .sort(),
    [25, 75],
  );
  assert.notEqual(during.code, 0);
  assert.match(during.output, /isn't currently deployed/);

  fine(await paged.run(["rollback", one, "-y", "--message", "back"]));
  assert.equal(await text("gradual"), "one");
});

test("a deploy of wrangler to a function of git is refused in our words, and changes nothing", async (t) => {
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
});

test("two users cannot touch each other's functions (A7)", async () => {
  const [ann, ben] = [await tokenOf("ann"), await tokenOf("ben")];
  const notes = await project(helloFiles("notes", "of ann"));
  fine(await notes.run(["deploy"], ann));
  assert.equal(await text("notes"), "of ann");
  const theft = await project(helloFiles("notes", "of ben"));
  const attempts = await Promise.all([theft.run(["deploy"], ben), theft.run(["deploy"], { ...ben, account: "ann" })]);
  for (const { code, output } of attempts) assert.notEqual(code, 0, output);
  const script = "/client/v4/accounts/ann/workers/scripts/notes";
  const headers = { authorization: `Bearer ${ben.token}` };
  for (const [method, path] of [
    ["DELETE", ""],
    ["PUT", "/secrets"],
    ["GET", "/versions"],
  ] as const) {
    assert.equal((await agent.request("localhost", script + path, { method, headers })).status, 403, path);
  }
  assert.equal(await text("notes"), "of ann");
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
