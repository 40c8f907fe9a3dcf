import assert from "node:assert/strict";
import { after, test } from "node:test";
import { createPost, type PostDeps } from "./post.js";
import { listen } from "./testing.js";

const listener = await listen();
after(() => listener.close());
const own = { host: "127.0.0.1", port: listener.port };
const never = new AbortController().signal;
const PUBLIC = "93.184.215.14";

const open = (deps: Partial<PostDeps> = {}) =>
  createPost({ allowed: [own], isPublic: (address) => address === PUBLIC, ...deps });
const letter = (url: string) => ({ url, headers: { "content-type": "application/json" }, body: '{"a":"ü"}' });

test("sends what it is given, byte by byte, and answers the beginning of the answer", async () => {
  listener.answer = (res) => res.writeHead(202, { "retry-after": "3" }).end("x".repeat(100_000));
  const answer = await open().post(letter(`${listener.url}/hook?a=b`), never);
  assert.deepEqual([answer.status, answer.headers["retry-after"], answer.text.length], [202, "3", 16_384]);
  const { method, path, headers, body } = listener.heard.at(-1)!;
  assert.deepEqual([method, path, body], ["POST", "/hook?a=b", '{"a":"ü"}']);
  assert.deepEqual(headers, {
    host: `127.0.0.1:${listener.port}`,
    connection: "close",
    "user-agent": "wrkst",
    "content-type": "application/json",
    "content-length": "10",
  });
});

test("follows no redirect", async () => {
  listener.answer = (res) => res.writeHead(307, { location: `${listener.url}/elsewhere` }).end();
  const before = listener.heard.length;
  assert.equal((await open().post(letter(`${listener.url}/`), never)).status, 307);
  assert.equal(listener.heard.length, before + 1);
});

const refused: [string, string, string[]?][] = [
  ["http without being allowed", "http://example.com/", [PUBLIC]],
  ["an address of this machine", "https://127.0.0.1/"],
  ["an address written as a number", "https://2130706433/"],
  ["an address of IPv6 that is not public", "https://[::1]/"],
  ["a name that leads inside", "https://inside.example.com/", ["10.0.0.1"]],
  ["a name of which one address leads inside", "https://half.example.com/", [PUBLIC, "127.0.0.1"]],
];
for (const [name, url, addresses = []] of refused) {
  test(`refuses ${name}, when it is set and when something is sent (C2)`, async () => {
    const { post, admit } = open({ resolve: async () => addresses });
    await assert.rejects(post(letter(url), never), { code: "ERR_INVALID" });
    await assert.rejects(admit(url), { code: "ERR_INVALID" });
  });
}

test("connects to the address that was looked at, though the name leads elsewhere by then (C2)", async () => {
  const answers = [["127.0.0.1"], ["10.0.0.1"]];
  let asked = 0;
  const { post } = open({
    allowed: [{ host: "hooks.example.com" }],
    resolve: async () => answers[asked++] ?? [],
  });
  listener.answer = (res) => res.writeHead(204).end();
  const answer = await post(letter(`http://hooks.example.com:${listener.port}/`), never);
  assert.deepEqual([answer.status, asked], [204, 1]);
  assert.equal(listener.heard.at(-1)!.headers.host, `hooks.example.com:${listener.port}`);
});

test("waits for a receiver that never answers no longer than it may", async () => {
  listener.answer = () => undefined;
  await assert.rejects(open({ timeout: 20 }).post(letter(`${listener.url}/`), never), /no answer within 0\.02 s/);
  const hanging = open({ timeout: 20, resolve: () => new Promise(() => undefined) });
  await assert.rejects(hanging.post(letter("https://slow.example.com/"), never), /no answer within/);
});

test("stops at once when the agent does", async () => {
  const stopping = new AbortController();
  listener.answer = () => stopping.abort(new Error("the agent is stopping"));
  await assert.rejects(open().post(letter(`${listener.url}/`), stopping.signal), /the agent is stopping/);
});

test("lets a name pass that has no address yet: that may change", async () => {
  const { admit } = open({ resolve: () => Promise.reject(new Error("ENOTFOUND")) });
  await admit("https://new.example.com/");
});
