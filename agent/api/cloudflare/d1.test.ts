import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readdir } from "node:fs/promises";
import { after, test } from "node:test";
import type { Identity } from "../../auth/index.js";
import { fc, runs } from "../../test-properties.js";
import { serveApi } from "../testing.js";

const callers = new Map<string, Identity>();
const served = await serveApi(
  {},
  {
    publicUrl: "http://origin.example",
    auth: {
      authenticate: async (header) => callers.get(header?.slice(7) ?? ""),
      isAccount: (account) => ["ann", "ben", "main"].includes(account),
    },
  },
);
after(() => served.close());
const { databases } = served;

for (const [name, role] of [
  ["ann", "deployer"],
  ["ben", "deployer"],
  ["viewer", "viewer"],
] as const) {
  const account = name === "viewer" ? "ann" : name;
  callers.set(name, {
    ...{ subject: name, name, email: null, role, account, scopes: ["deploy"], isBound: false },
    credential: { kind: "api-token", id: name },
  });
}

interface Refused {
  status: number;
  errors: { code: number; message: string }[];
}

async function ask(path: string, body?: unknown, more: { method?: string; as?: string } = {}) {
  const { method = body === undefined ? "GET" : "POST", as = "ann" } = more;
  const account = as === "viewer" ? "ann" : as;
  const sent = body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) };
  const answer = await served.ask(`/client/v4/accounts/${account}/d1/database${path}`, { method, token: as, ...sent });
  const { success, errors, result } = JSON.parse(answer.text);
  return { status: answer.status, text: answer.text, success, errors: errors as Refused["errors"], result };
}
const codeOf = ({ status, errors }: Refused) => [status, errors[0]?.code];
const madeBy = (what: string) => databases.writes.filter((write) => write.what === what).map(({ by }) => by.name);

test("makes, lists, finds by id and by name, and removes databases", async () => {
  const { result } = await ask("", { name: "shop", primary_location_hint: "weur" });
  assert.match(result.uuid, /^[0-9a-f-]{36}$/);
  assert.deepEqual([result.name, result.version], ["shop", "production"]);
  assert.deepEqual(codeOf(await ask("", { name: "shop" })), [409, 7502]);
  assert.deepEqual(codeOf(await ask("", { name: "no/name" })), [400, 7400]);
  for (const reference of [result.uuid, "shop"]) {
    const found = (await ask(`/${reference}`)).result;
    assert.deepEqual([found.uuid, found.num_tables], [result.uuid, 0]);
    assert.deepEqual((await ask(`/${reference}?fields=uuid,name`)).result, { uuid: result.uuid, name: "shop" });
  }
  assert.deepEqual(codeOf(await ask("/nothing")), [404, 7404]);
  assert.equal((await ask(`/${result.uuid}`, undefined, { method: "DELETE" })).success, true);
  assert.deepEqual(codeOf(await ask("/shop")), [404, 7404]);
  assert.deepEqual(madeBy("remove"), ["ann"]);
});

test("pages the list, and an exact name goes before those that hold it", async () => {
  for (const name of ["list-a", "list-ab", "list-b"]) databases.seed("ann", name);
  const names = async (query: string) => (await ask(`?${query}`)).result.map(({ name }: { name: string }) => name);
  assert.deepEqual(await names("per_page=2&page=1&name=list"), ["list-a", "list-ab"]);
  assert.deepEqual(await names("per_page=2&page=2&name=list"), ["list-b"]);
  assert.deepEqual(await names("per_page=2&page=3&name=list"), []);
  databases.seed("ann", "exact-before");
  databases.seed("ann", "exact");
  assert.deepEqual(await names("name=exact"), ["exact", "exact-before"]);
});

test("runs several statements of one text, parameters of every type, and lists of statements, each as one transaction", async () => {
  const { id } = databases.seed("ann", "query");
  const made = await ask(`/${id}/query`, {
    sql: "CREATE TABLE t(a, b); INSERT INTO t VALUES (1, 'x;y'); SELECT * FROM t",
  });
  assert.deepEqual(made.result[2].results, [{ a: 1, b: "x;y" }]);
  assert.equal(typeof made.result[2].meta.duration, "number");
  await ask(`/${id}/query`, { sql: "INSERT INTO t VALUES (?, ?)", params: [null, [0, 255]] });
  const two = [{ sql: "INSERT INTO t VALUES (?, ?)", params: [3.5, "z"] }, { sql: "SELECT * FROM t" }];
  assert.equal((await ask(`/${id}/query`, two)).result[1].results.length, 3);
  assert.equal((await ask(`/${id}/query`, { batch: two })).result[1].results.length, 4);
  const raw = await ask(`/${id}/raw`, { sql: "SELECT a, b FROM t WHERE a IS NULL" });
  assert.deepEqual(raw.result[0].results, { columns: ["a", "b"], rows: [[null, [0, 255]]] });
});

test("a text of which one statement fails changes nothing, and says what SQLite said", async () => {
  const { id } = databases.seed("ann", "atomic");
  await ask(`/${id}/query`, { sql: "CREATE TABLE t(a UNIQUE)" });
  const failed = await ask(`/${id}/query`, { sql: "INSERT INTO t VALUES (1); INSERT INTO t VALUES (1);" });
  assert.deepEqual(codeOf(failed), [400, 7500]);
  assert.match(failed.errors[0]!.message, /UNIQUE constraint failed: t\.a: SQLITE_CONSTRAINT/);
  assert.deepEqual((await ask(`/${id}/query`, { sql: "SELECT count(*) AS n FROM t" })).result[0].results, [{ n: 0 }]);
});

test("a result that is too large is refused with its limit", async () => {
  const { id } = databases.seed("ann", "large");
  const sql =
    "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 60) SELECT hex(zeroblob(500000)) FROM n";
  const refused = await ask(`/${id}/query`, { sql });
  assert.equal(refused.status, 413);
  assert.match(refused.errors[0]!.message, /32 MiB/);
});

test("a viewer sees databases, and neither reads nor changes what they hold (A7)", async () => {
  const { id } = databases.seed("ann", "private");
  assert.equal((await ask(`/${id}`, undefined, { as: "viewer" })).status, 200);
  const calls = [
    ["/query", { sql: "SELECT 1" }],
    ["/raw", { sql: "SELECT 1" }],
    ["/export", { output_format: "polling" }],
    ["/import", { action: "init", etag: "0".repeat(32) }],
    ["/time_travel/bookmark", undefined],
    ["/time_travel/restore?bookmark=x", {}],
  ] as const;
  for (const [path, body] of calls) {
    assert.deepEqual(codeOf(await ask(`/${id}${path}`, body, { as: "viewer" })), [403, 2007], path);
  }
});

test("a database of another account is an unknown one, by id and by name (B7)", async () => {
  const { id } = databases.seed("ben", "of-ben");
  const paths = [
    "",
    "/query",
    "/raw",
    "/export",
    "/import",
    "/time_travel/restore?bookmark=x",
    "/time_travel/bookmark",
  ];
  const body = { sql: "SELECT 1", output_format: "polling", action: "init", etag: "0".repeat(32) };
  for (const reference of [id, "of-ben"]) {
    for (const path of paths) {
      const isRead = path === "" || path.endsWith("bookmark");
      const foreign = await ask(`/${reference}${path}`, isRead ? undefined : body);
      const missing = await ask(`/nowhere${path}`, isRead ? undefined : body);
      assert.deepEqual(codeOf(foreign), [404, 7404], path);
      assert.equal(foreign.errors[0]!.message.replace(reference, "nowhere"), missing.errors[0]!.message);
    }
  }
  assert.ok(!(await ask("?per_page=1000")).text.includes("of-ben"));
});

const md5 = (text: string) => createHash("md5").update(text).digest("hex");
/** The address as this test reaches it; it carries no credential. */
const transfer = (url: string, method: string, body?: string) => {
  assert.ok(url.startsWith("http://origin.example/transfers/"), url);
  return served.ask(url.slice("http://origin.example".length), { method, token: null, ...(body && { body }) });
};
const begin = async (id: string, sql: string) => {
  const { result } = await ask(`/${id}/import`, { action: "init", etag: md5(sql) });
  return result as { filename: string; upload_url: string };
};
const isUnknown = ({ status, json }: { status: number; json: object }) =>
  assert.deepEqual([status, (json as { code: string }).code], [404, "ERR_NOT_FOUND"]);

test("imports a file by an address that works once, and says at which bookmark the database then is", async () => {
  const { id } = databases.seed("ann", "import");
  const sql = "CREATE TABLE t(a);\nINSERT INTO t VALUES ('1;2');\n";
  const { filename, upload_url } = await begin(id, sql);
  const sent = await transfer(upload_url, "PUT", sql);
  assert.deepEqual([sent.status, sent.headers.etag], [200, `"${md5(sql)}"`]);
  isUnknown(await transfer(upload_url, "PUT", sql));
  const done = (await ask(`/${id}/import`, { action: "ingest", filename, etag: md5(sql) })).result;
  assert.deepEqual([done.success, done.status, done.result.num_queries], [true, "complete", 2]);
  assert.equal(databases.snapshots({ account: "ann", database: id })[0]?.id, done.result.final_bookmark);
  assert.deepEqual(codeOf(await ask(`/${id}/import`, { action: "ingest", filename, etag: md5(sql) })), [404, 7404]);
  assert.deepEqual(await readdir(served.uploads), []);
});

/** The address with another last character that stands for the same bytes: two bits of it are none of the key's. */
const otherSpelling = (url: string) => url.slice(0, -1) + String.fromCharCode(url.charCodeAt(url.length - 1) + 1);

test("an address for one file takes no other, none with a wrong key, and none too late", async () => {
  const { id } = databases.seed("ann", "wrong");
  const other = await begin(id, "SELECT 1");
  assert.equal((await transfer(other.upload_url, "PUT", "SELECT 2")).status, 400);
  isUnknown(await transfer(other.upload_url, "PUT", "SELECT 1"));
  const { upload_url } = await begin(id, "SELECT 1");
  for (const wrong of [
    otherSpelling(upload_url),
    upload_url.replace(/key=./, (key) => `key=${key === "key=A" ? "B" : "A"}`),
  ])
    isUnknown(await transfer(wrong, "PUT", "SELECT 1"));
  isUnknown(await transfer(upload_url, "GET"));
  served.pass(3_600_001);
  isUnknown(await transfer(upload_url, "PUT", "SELECT 1"));
  assert.deepEqual(await readdir(served.uploads), []);
});

test("a file too large is refused before it is read, and one that failed can be sent again", async () => {
  const { id } = databases.seed("ann", "cap");
  const { upload_url } = await begin(id, "x");
  const path = upload_url.slice("http://origin.example".length);
  const headers = { "content-length": String(600 * 2 ** 20) };
  const refused = await fetch(`${served.url}${path}`, { method: "PUT", headers: {}, body: "y" });
  assert.equal(refused.status, 400);
  const large = await begin(id, "x");
  const answer = await served.ask(large.upload_url.slice("http://origin.example".length), {
    ...{ method: "PUT", token: null, headers },
  });
  assert.equal(answer.status, 413);
});

test("exports by an address that works once, and asking for its head does not use it up", async () => {
  const { id } = databases.seed("ann", "export");
  await ask(`/${id}/query`, { sql: "CREATE TABLE t(a); INSERT INTO t VALUES ('it''s')" });
  const options = { output_format: "polling", dump_options: { no_schema: true, no_data: false, tables: [] } };
  const { result } = await ask(`/${id}/export`, options);
  assert.deepEqual([result.status, result.result.filename], ["complete", "export.sql"]);
  assert.equal((await transfer(result.result.signed_url, "HEAD")).status, 404);
  const { text } = await transfer(result.result.signed_url, "GET");
  assert.match(text, /INSERT INTO "t" VALUES\('it''s'\);/);
  assert.doesNotMatch(text, /CREATE TABLE/);
  isUnknown(await transfer(result.result.signed_url, "GET"));
});

test("an import or export of one account is none of another's, nor is its file (B7)", async () => {
  const [mine, theirs] = [databases.seed("ann", "jobs"), databases.seed("ben", "jobs")];
  const { result } = await ask(`/${mine.id}/export`, { output_format: "polling" });
  const poll = { output_format: "polling", current_bookmark: result.at_bookmark };
  assert.deepEqual(codeOf(await ask(`/${theirs.id}/export`, poll, { as: "ben" })), [404, 7404]);
  const { filename, upload_url } = await begin(mine.id, "SELECT 1");
  await transfer(upload_url, "PUT", "SELECT 1");
  const ingest = { action: "ingest", filename, etag: md5("SELECT 1") };
  assert.deepEqual(codeOf(await ask(`/${theirs.id}/import`, ingest, { as: "ben" })), [404, 7404]);
  assert.equal((await ask(`/${mine.id}/import`, ingest)).result.status, "complete");
});

test("travels to a bookmark and to a time, and says where it was before", async () => {
  const { id } = databases.seed("ann", "travel");
  await ask(`/${id}/query`, { sql: "CREATE TABLE t(a)" });
  const { bookmark } = (await ask(`/${id}/time_travel/bookmark`)).result;
  served.pass(10_000);
  await ask(`/${id}/query`, { sql: "INSERT INTO t VALUES (1)" });
  const back = (await ask(`/${id}/time_travel/restore?bookmark=${bookmark}`, "")).result;
  assert.equal(back.bookmark, bookmark);
  const count = async () => (await ask(`/${id}/query`, { sql: "SELECT count(*) AS n FROM t" })).result[0].results[0].n;
  assert.equal(await count(), 0);
  await ask(`/${id}/time_travel/restore?bookmark=${back.previous_bookmark}`, "");
  assert.equal(await count(), 1);
  const at = new Date(1_000_000_000_000).toISOString();
  assert.equal((await ask(`/${id}/time_travel/bookmark?timestamp=${at}`)).status, 200);
  assert.deepEqual(codeOf(await ask(`/${id}/time_travel/restore`, "")), [400, 7400]);
  assert.deepEqual(codeOf(await ask(`/${id}/time_travel/bookmark?timestamp=yesterday`)), [400, 7400]);
  assert.deepEqual(codeOf(await ask(`/${id}/time_travel/bookmark?timestamp=1970-01-01T00:00:00Z`)), [404, 7404]);
});

test("answers wrangler's questions on activity to those who may hear it", async () => {
  const slowest = [{ sql: "SELECT slow", milliseconds: 12, rowsRead: 3, at: 0 }];
  const sums = { queries: 7, writes: 2, errors: 1, rowsRead: 20, rowsWritten: 2, milliseconds: 30, buckets: [] };
  const activity = { since: 0, ...sums, slowest };
  const { id } = databases.seed("ann", "busy", { activity });
  const about = async (what: string, as: string, account = "ann") => {
    const variables = { accountTag: account, filter: { AND: [{ databaseId: id }] } };
    const body = JSON.stringify({ query: `query { ${what} }`, variables });
    const { text } = await served.ask("/client/v4/graphql", { method: "POST", token: as, body });
    return JSON.parse(text).data.viewer.accounts[0][what];
  };
  const { sum } = (await about("d1AnalyticsAdaptiveGroups", "ann"))[0];
  assert.deepEqual(sum, { readQueries: 5, writeQueries: 2, rowsRead: 20, rowsWritten: 2 });
  assert.equal((await about("d1QueriesAdaptiveGroups", "ann"))[0].dimensions.query, "SELECT slow");
  assert.deepEqual(await about("d1QueriesAdaptiveGroups", "ben"), []);
  assert.deepEqual(await about("d1QueriesAdaptiveGroups", "ben", "ben"), []);
  const other = await served.ask("/client/v4/graphql", {
    method: "POST",
    token: "ann",
    body: '{"query":"query { r2 }"}',
  });
  assert.equal(other.status, 501);
});

test("answers malformed bodies of every route with 4xx, and goes on", async () => {
  const { id } = databases.seed("ann", "fuzz");
  const paths = ["", `/${id}/query`, `/${id}/raw`, `/${id}/import`, `/${id}/export`, `/${id}/time_travel/restore`];
  const fields = fc.record(
    {
      ...{ name: fc.jsonValue(), sql: fc.jsonValue(), params: fc.jsonValue(), batch: fc.jsonValue() },
      ...{ action: fc.constantFrom("init", "ingest", "poll", 1), etag: fc.jsonValue(), filename: fc.jsonValue() },
      ...{ output_format: fc.constantFrom("polling", "file"), current_bookmark: fc.jsonValue() },
      dump_options: fc.jsonValue(),
    },
    { requiredKeys: [] },
  );
  const texts = fc.oneof(
    fields.map((value) => JSON.stringify(value)),
    fc.json(),
    fc.string(),
  );
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...paths), texts, async (path, body) => {
      served.pass(1000);
      const { status } = await ask(path, body);
      assert.ok(status === 200 || (status >= 400 && status < 500), `${path} ${body}: ${status}`);
    }),
    { numRuns: runs(500) },
  );
  assert.ok(!served.logged().includes("request failed"));
});

test("neither parameters nor keys of addresses reach the log (B8)", async () => {
  const { id } = databases.seed("ann", "silent");
  const canary = "canary-91c0";
  await ask(`/${id}/query`, { sql: "SELECT ?", params: [canary] });
  await ask(`/${id}/query`, { sql: "SELECT nothing(?)", params: [canary] });
  const { upload_url } = await begin(id, "SELECT 1");
  await transfer(upload_url, "PUT", "SELECT 1");
  const key = new URL(upload_url).searchParams.get("key") ?? assert.fail();
  for (const secret of [canary, key]) assert.ok(!served.logged().includes(secret));
});
