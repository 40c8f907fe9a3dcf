import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { connect } from "node:net";
import { after, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { fc, runs } from "../../test-properties.js";
import { serveApi, TOKEN } from "../testing.js";

const served = await serveApi();
after(() => served.close());
const { ask, deploys } = served;
const SCRIPT = "/client/v4/accounts/main/workers/scripts/hello";

interface PartOf {
  name: string;
  /** As the header says it; undefined: no such header. */
  type?: string | undefined;
  body: string | Uint8Array;
  file?: boolean;
}

const JS = "application/javascript+module";
const main: PartOf = { name: "index.js", type: JS, body: "export default {}" };
const metadata = (more: object = {}): PartOf => ({
  name: "metadata",
  body: JSON.stringify({ main_module: "index.js", ...more }),
  file: false,
});

function form(parts: PartOf[], boundary = "b0undary") {
  const chunks = parts.flatMap(({ name, type, body, file = true }) => [
    `--${boundary}\r\nContent-Disposition: form-data; name="${name}"${file ? `; filename="${name}"` : ""}\r\n`,
    type === undefined ? "\r\n" : `Content-Type: ${type}\r\n\r\n`,
    body,
    "\r\n",
  ]);
  const body = Buffer.concat([...chunks, `--${boundary}--\r\n`].map((chunk) => Buffer.from(chunk as string)));
  return { method: "PUT", headers: { "content-type": `multipart/form-data; boundary=${boundary}` }, body };
}

interface Shaped {
  success: boolean;
  errors: { code: number; message: string; meta: { code: string } }[];
  result: Record<string, unknown> | null;
}

async function put(parts: PartOf[], path = SCRIPT) {
  const { status, json } = await ask(path, form(parts));
  const { success, errors, result } = json as unknown as Shaped;
  return {
    status,
    success,
    result,
    code: errors?.[0]?.meta.code,
    number: errors?.[0]?.code,
    says: errors?.[0]?.message,
  };
}

/** The modules of the newest upload, by name. */
async function modulesOf(parts: PartOf[], more = {}) {
  const { status, says } = await put([metadata(more), ...parts]);
  assert.equal(status, 200, says);
  const { bundle } = deploys.uploads.at(-1)!;
  return Object.fromEntries(bundle.modules.map(({ name, kind }) => [name, kind]));
}

test("takes modules of every kind by content type, wherever the metadata stands", async () => {
  const wasm = Buffer.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 13, 10, 45, 45]);
  const parts: PartOf[] = [
    { name: "./0a1b-page.txt", type: "text/plain", body: "text" },
    main,
    metadata({ vars: 1 }),
    { name: "lib/c.cjs", type: "application/javascript", body: "" },
    { name: "./0c-f.wasm", type: "application/wasm", body: wasm },
    { name: "d.bin", type: "application/octet-stream", body: "\r\n--b0unda" },
    { name: "index.js.map", type: "application/source-map", body: "{}" },
  ];
  assert.equal((await put(parts)).status, 200);
  const { bundle } = deploys.uploads.at(-1)!;
  assert.deepEqual(
    bundle.modules.map(({ name, kind }) => [name, kind]),
    [
      ["0a1b-page.txt", "text"],
      ["0c-f.wasm", "wasm"],
      ["d.bin", "data"],
      ["index.js", "esm"],
      ["lib/c.cjs", "cjs"],
    ],
  );
  assert.deepEqual(Buffer.from(bundle.modules[1]!.bytes), wasm);
  assert.equal(Buffer.from(bundle.modules[2]!.bytes).toString(), "\r\n--b0unda");
  assert.equal(bundle.modules[4]!.bytes.length, 0);
  assert.deepEqual([bundle.main, bundle.sourceMaps], ["index.js", { "index.js": "{}" }]);
});

test("tells kinds by name where the type says nothing, and by type where the sender knows types", async () => {
  const kinds = (type: string | undefined, names: string[]) => names.map((name) => ({ name, type, body: "" }));
  const names = ["a.js", "a.mjs", "a.cjs", "a.wasm", "a.json", "a.html", "a.png", "plain"];
  const byName = {
    "a.js": "esm",
    "a.mjs": "esm",
    "a.cjs": "cjs",
    "a.wasm": "wasm",
    "a.json": "json",
    "a.html": "text",
  };
  for (const type of [undefined, "application/octet-stream", "text/plain", "text/plain; charset=utf-8"]) {
    const { "index.js": _, ...found } = await modulesOf([{ ...main, type }, ...kinds(type, names)]);
    const rest = {
      "a.png": type?.startsWith("text/") ? "text" : "data",
      plain: type?.startsWith("text/") ? "text" : "data",
    };
    assert.deepEqual(found, { ...byName, ...rest }, type);
  }
  const labelled = await modulesOf([main, ...kinds("application/octet-stream", ["a.html", "a.js", "a.json"])]);
  assert.deepEqual(labelled, { "a.html": "data", "a.js": "esm", "a.json": "data", "index.js": "esm" });
});

test("takes a main module without extension as an ES module, as drafts have it", async () => {
  assert.deepEqual(await modulesOf([{ name: "hello", type: undefined, body: "" }], { main_module: "./hello" }), {
    hello: "esm",
  });
});

const names = [
  "../../x",
  "/etc/passwd",
  "a/../b",
  "a//b",
  "a/./b",
  "a\0b",
  "a\\b",
  "C:/x",
  "file:///x",
  "x".repeat(600),
];
for (const name of [...names, "__wrkst_entry.js", "./", "a/"]) {
  test(`refuses a module named ${JSON.stringify(name.slice(0, 20))} and stores nothing under it (B1)`, async () => {
    const count = deploys.uploads.length;
    const { status, code } = await put([metadata(), main, { name, type: JS, body: "x" }]);
    assert.deepEqual([status, code], [400, "ERR_INVALID"]);
    assert.equal(deploys.uploads.length, count);
    assert.deepEqual(await readdir(served.uploads), []);
  });
}

const refused: [string, PartOf[], number, string][] = [
  ["no metadata", [main], 400, "ERR_INVALID"],
  ["metadata twice", [metadata(), metadata(), main], 400, "ERR_INVALID"],
  ["metadata that is no JSON", [{ name: "metadata", body: "{" }, main], 400, "ERR_INVALID"],
  ["metadata that is a list", [{ name: "metadata", body: "[]" }, main], 400, "ERR_INVALID"],
  ["no main module", [metadata()], 400, "ERR_INVALID"],
  ["a module twice", [metadata(), main, { ...main, name: "./index.js" }], 400, "ERR_INVALID"],
  ["a date that is none", [metadata({ compatibility_date: "soon" }), main], 400, "ERR_INVALID"],
  ["a binding without value", [metadata({ bindings: [{ name: "A", type: "json" }] }), main], 400, "ERR_INVALID"],
  [
    "a binding twice",
    [
      metadata({
        bindings: [
          { name: "A", text: "" },
          { name: "A", text: "" },
        ],
      }),
      main,
    ],
    400,
    "ERR_INVALID",
  ],
  ["a binding over the database", [metadata({ bindings: [{ name: "D1", text: "" }] }), main], 400, "ERR_INVALID"],
  ["a reserved binding", [metadata({ bindings: [{ name: "__wrkstX", text: "" }] }), main], 400, "ERR_INVALID"],
  [
    "the service-worker format",
    [metadata({ main_module: undefined, body_part: "index.js" }), main],
    422,
    "ERR_BINDING_UNSUPPORTED",
  ],
  ["Durable Object migrations", [metadata({ migrations: { steps: [{}] } }), main], 422, "ERR_BINDING_UNSUPPORTED"],
  ["static assets", [metadata({ assets: { jwt: "x" } }), main], 422, "ERR_BINDING_UNSUPPORTED"],
  ["Python", [metadata(), main, { name: "a.py", type: "text/x-python", body: "" }], 422, "ERR_BINDING_UNSUPPORTED"],
  ["metadata over its limit", [metadata({ x: "y".repeat(2 ** 20) }), main], 413, "ERR_TOO_LARGE"],
];
for (const [what, parts, status, code] of refused) {
  test(`refuses an upload with ${what}`, async () => {
    const answer = await put(parts);
    assert.deepEqual([answer.status, answer.code, answer.success], [status, code, false]);
  });
}

test("names every binding that is not supported", async () => {
  const bindings = [
    { name: "CACHE", type: "kv_namespace", namespace_id: "1" },
    { name: "FILES", type: "r2_bucket", bucket_name: "b" },
    { name: "ODD", type: "antigravity" },
    { name: "FINE", type: "plain_text", text: "x" },
  ];
  const { status, number, says = "" } = await put([metadata({ bindings }), main]);
  assert.deepEqual([status, number], [422, 10021]);
  for (const name of ["CACHE", "FILES", "ODD"]) assert.ok(says.includes(`"${name}"`), says);
  assert.ok(!says.includes("FINE"));
});

test("reads databases by id, by name and by neither, under any name", async () => {
  const bindings = [
    { name: "DB", type: "d1", id: "1" },
    { name: "SHOP", type: "d1", database_name: "shop" },
    { name: "D1", type: "d1" },
  ];
  assert.equal((await put([metadata({ bindings }), main])).status, 200);
  assert.deepEqual(deploys.uploads.at(-1)?.bindings, [
    { kind: "d1", name: "DB", id: "1" },
    { kind: "d1", name: "SHOP", databaseName: "shop" },
    { kind: "d1", name: "D1" },
  ]);
});

test("keeps secrets where the client says nothing of keeping, and exactly what it names where it does", async () => {
  const keepOf = async (more: object) => {
    await modulesOf([main], more);
    return deploys.uploads.at(-1)!.keep;
  };
  assert.deepEqual(await keepOf({}), ["secret"]);
  assert.deepEqual(await keepOf({ keep_bindings: [] }), []);
  assert.deepEqual(await keepOf({ keep_bindings: ["plain_text", "json", "secret_text", "secret_key"] }), [
    "text",
    "json",
    "secret",
  ]);
});

test("reads vars with and without a type, annotations and what the platform adds", async () => {
  const bindings = [
    { name: "A", text: "plain" },
    { name: "B", type: "json", json: { deep: [1, null] } },
    { name: "C", type: "secret_text", text: "s" },
    { name: "D", type: "inherit" },
  ];
  const annotations = { "workers/message": "m", "workers/tag": "t", "workers/alias": "pa" };
  await modulesOf([main], { bindings, annotations, wrkst: { egress: "none", health: "/healthz" } });
  const { bindings: read, message, tag, alias, egress, health } = deploys.uploads.at(-1)!;
  assert.deepEqual(read, [
    { kind: "text", name: "A", text: "plain" },
    { kind: "json", name: "B", json: { deep: [1, null] } },
    { kind: "secret", name: "C", text: "s" },
    { kind: "inherit", name: "D" },
  ]);
  assert.deepEqual([message, tag, alias, egress, health], ["m", "t", "pa", "none", "/healthz"]);
});

test("gives back the modules of a version as a form that can be uploaded again", async () => {
  await modulesOf([main, { name: "a/ü.bin", type: "application/octet-stream", body: "\r\n\0" }]);
  const before = deploys.uploads.at(-1)!.bundle;
  const { headers, text } = await ask(`${SCRIPT}/content/v2`);
  assert.equal(headers["cf-entrypoint"], "index.js");
  const type = headers["content-type"] ?? "";
  const boundary = /boundary=(.+)$/.exec(type)?.[1];
  const again = text.replace(
    `--${boundary}--`,
    `--${boundary}\r\ncontent-disposition: form-data; name=metadata\r\n\r\n${metadata().body}\r\n--${boundary}--`,
  );
  assert.equal((await ask(SCRIPT, { method: "PUT", headers: { "content-type": type }, body: again })).status, 200);
  assert.deepEqual(
    deploys.uploads.at(-1)!.bundle.modules.map(({ name }) => name),
    before.modules.map(({ name }) => name),
  );
});

test("refuses a body over 64 MiB by its declared size, and one that grows beyond, and names the limit (B2)", async () => {
  const headers = { "content-type": "multipart/form-data; boundary=b" };
  const declared = await ask(SCRIPT, {
    method: "PUT",
    headers: { ...headers, "content-length": String(2 ** 26 + 1) },
    body: "x",
  });
  assert.equal(declared.status, 413);
  assert.match(declared.text, /67108864/);
  const { body } = form([metadata(), { ...main, body: Buffer.alloc(2 ** 26) }]);
  const grown = await ask(SCRIPT, {
    method: "PUT",
    headers: { "content-type": "multipart/form-data; boundary=b0undary", "transfer-encoding": "chunked" },
    body,
  });
  assert.equal(grown.status, 413);
  assert.deepEqual(await readdir(served.uploads), []);
});

test("refuses more parts than a thousand (B2)", async () => {
  const parts = Array.from({ length: 1001 }, (_, index) => ({ name: `m${index}.txt`, body: "" }));
  assert.deepEqual((await put([metadata(), main, ...parts])).code, "ERR_TOO_LARGE");
});

test("leaves nothing of an upload that is cut off half way", { timeout: 60_000 }, async () => {
  const count = deploys.uploads.length;
  const { body, headers } = form([metadata(), main, { name: "large.bin", body: Buffer.alloc(500_000) }]);
  for (const length of [10, 150, 400, 300_000, body.length - 10]) {
    await new Promise<void>((resolve, reject) => {
      const socket = connect(served.port ?? 0, "127.0.0.1");
      socket.on("error", reject).on("close", () => resolve());
      socket.on("data", () => undefined);
      socket.write(
        `PUT ${SCRIPT} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${TOKEN}\r\n` +
          `content-type: ${headers["content-type"]}\r\ncontent-length: ${body.length}\r\n\r\n`,
      );
      socket.write(body.subarray(0, length), () => socket.end());
    });
  }
  // The server sees the end of a connection after the client does.
  while ((await readdir(served.uploads)).length > 0) await turn();
  assert.equal(deploys.uploads.length, count);
  assert.equal((await ask("/health")).status, 200);
});

test("answers a thousand malformed uploads and bodies with 4xx, and goes on", async () => {
  const good = form([metadata({ bindings: [{ name: "A", type: "json", json: 1 }] }), main]);
  const edits = fc.array(
    fc.record({ at: fc.nat(good.body.length - 1), cut: fc.nat(40), put: fc.uint8Array({ maxLength: 12 }) }),
    { minLength: 1, maxLength: 4 },
  );
  const edited = edits.map((list) =>
    list.reduce(
      (body, { at, cut, put: bytes }) => Buffer.concat([body.subarray(0, at), bytes, body.subarray(at + cut)]),
      good.body,
    ),
  );
  const fields = fc.record(
    {
      ...{ main_module: fc.jsonValue(), bindings: fc.jsonValue(), keep_bindings: fc.jsonValue() },
      ...{ compatibility_date: fc.jsonValue(), annotations: fc.jsonValue(), observability: fc.jsonValue() },
    },
    { requiredKeys: [] },
  );
  const odd = fc
    .oneof(fields, fc.jsonValue())
    .map((value) => form([{ name: "metadata", body: JSON.stringify(value) }, main]).body);
  await fc.assert(
    fc.asyncProperty(fc.oneof(edited, odd), async (body) => {
      const { status } = await ask(SCRIPT, { ...good, body });
      assert.ok(status === 200 || (status >= 400 && status < 500), String(status));
    }),
    { numRuns: runs(700) },
  );
  const calls: [string, string][] = [
    ["POST", "deployments"],
    ["PUT", "secrets"],
    ["PATCH", "secrets-bulk"],
    ["PUT", "aliases/stable"],
    ["PATCH", "script-settings"],
    ["PUT", "routes"],
  ];
  const texts = fc.oneof(
    fc.json(),
    fc.string(),
    fc.json({ maxDepth: 8 }).map((text) => text.slice(1)),
  );
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...calls), texts, async ([method, path], body) => {
      const { status } = await ask(`${SCRIPT}/${path}`, { method, body });
      assert.ok(status === 200 || (status >= 400 && status < 500), String(status));
    }),
    { numRuns: runs(500) },
  );
  assert.deepEqual(await readdir(served.uploads), []);
  assert.ok(!served.logged().includes("request failed"));
});
