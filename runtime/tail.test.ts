import assert from "node:assert/strict";
import { type ClientRequest, request as httpRequest, type IncomingMessage } from "node:http";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { startServing, until } from "./testing/workerd.js";
import { CONTROL, type Invocation, type RuntimeState, type TailLine } from "./wire.js";

type Serving = Awaited<ReturnType<typeof startServing>>;

/** Opens the stream, as the agent does. */
async function listenTo(t: TestContext, serving: Serving, functions: string[]) {
  const lines: TailLine[] = [];
  let isOver = false;
  let request: ClientRequest | undefined;
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    request = httpRequest(
      { socketPath: join(serving.dataDir, "control.sock"), path: CONTROL.tail, method: "POST" },
      resolve,
    );
    request.on("error", reject);
    request.end(JSON.stringify({ functions }));
  });
  let rest = "";
  response.on("data", (chunk) => {
    const parts = (rest + chunk).split("\n");
    rest = parts.pop()!;
    for (const part of parts) if (part) lines.push(JSON.parse(part) as TailLine);
  });
  response.on("end", () => {
    isOver = true;
  });
  response.on("error", () => {});
  t.after(() => request?.destroy());
  return { lines, response, isOver: () => isOver, leave: () => request?.destroy() };
}

const invocations = (lines: TailLine[]): Invocation[] =>
  lines.flatMap((line) => (line.kind === "invocation" ? [line.invocation] : []));

const TALKER = `export default { async fetch(request, env, ctx) {
  const { pathname } = new URL(request.url);
  console.log("asked", { pathname });
  console.error("badly");
  if (pathname === "/throw") throw new TypeError("no luck");
  if (pathname === "/later") ctx.waitUntil(Promise.reject(new RangeError("too late")));
  return new Response("said", { status: 201 });
} };`;

test("tells what a function says and throws, its request and its answer, with credentials hidden", async (t) => {
  const serving = await startServing(t);
  await serving.deploy({ talker: TALKER, other: TALKER });
  const { lines } = await listenTo(t, serving, ["talker"]);
  const headers = { authorization: "Bearer hush", cookie: "a=hush", "x-mine": "seen" };
  const answer = await serving.get("talker.base.test", "/hello?a=b", { headers });
  await serving.get("other.base.test", "/hello");
  await serving.get("talker.base.test", "/throw");
  await serving.get("talker.base.test", "/later");
  await until(() => lines.length === 3, "three invocations");
  const [first, second, third] = invocations(lines) as [Invocation, Invocation, Invocation];
  assert.deepEqual(
    first.logs.map(({ level, message }) => [level, ...message]),
    [
      ["log", "asked", { pathname: "/hello" }],
      ["error", "badly"],
    ],
  );
  assert.equal(first.event?.request.url, "http://talker.base.test/hello?a=b");
  assert.equal(first.event?.request.headers["x-mine"], "seen");
  assert.deepEqual(first.event?.response, { status: 201 });
  assert.equal(first.request, answer.headers["x-request-id"] ?? first.request);
  assert.equal(typeof first.wallTime, "number");
  assert.ok(!JSON.stringify(lines).includes("hush"));
  assert.equal(second.outcome, "exception");
  assert.match(JSON.stringify(second.exceptions), /TypeError.*no luck.*index\.js:5:/);
  assert.match(JSON.stringify(third.exceptions), /RangeError.*too late/);
});

test("tells of functions that nobody listens to only what they throw, and who asked for it", async (t) => {
  const serving = await startServing(t);
  await serving.deploy({ talker: TALKER });
  const { lines } = await listenTo(t, serving, []);
  await serving.get("talker.base.test", "/hello");
  const answer = await serving.get("talker.base.test", "/throw?token=hush");
  await until(() => lines.length, "an exception");
  const [line] = lines;
  assert.ok(line?.kind === "threw");
  assert.deepEqual([line.function, line.request], ["talker", answer.headers["x-request-id"]]);
  assert.deepEqual(line.asked, { method: "GET", path: "/throw" });
  assert.deepEqual([line.exception.name, line.exception.message], ["TypeError", "no luck"]);
  assert.match(line.exception.stack ?? "", /^ +at .*index\.js:5:/);
});

test("begins and ceases to listen to functions without an end of the stream, and a new stream ends the old one", async (t) => {
  const serving = await startServing(t);
  await serving.deploy({ talker: TALKER });
  const first = await listenTo(t, serving, []);
  await serving.get("talker.base.test");
  await serving.control(CONTROL.listen, { functions: ["talker"] });
  await serving.get("talker.base.test", "/heard");
  await until(() => first.lines.length, "an invocation");
  await serving.control(CONTROL.listen, { functions: [] });
  await serving.get("talker.base.test", "/unheard");
  const second = await listenTo(t, serving, ["talker"]);
  await until(first.isOver, "the end of the old stream");
  await serving.get("talker.base.test", "/heard-again");
  await until(() => second.lines.length, "an invocation");
  const paths = [...invocations(first.lines), ...invocations(second.lines)].map(({ event }) => event?.request.url);
  assert.deepEqual(paths, ["http://talker.base.test/heard", "http://talker.base.test/heard-again"]);
});

test("tails nothing any more when the listener is gone", async (t) => {
  const serving = await startServing(t);
  await serving.deploy({ talker: TALKER });
  const { leave } = await listenTo(t, serving, ["talker"]);
  await serving.get("talker.base.test");
  const evictions = async () => ((await serving.control("/state")).json() as RuntimeState).evictions;
  const before = await evictions();
  leave();
  await until(async () => (await evictions()) > before, "the tailed isolate is gone");
});

test("fails none of many requests in flight while a listener comes and goes", async (t) => {
  const serving = await startServing(t);
  await serving.deploy({
    slow: `let served = 0;
      export default { async fetch(request) {
        served++;
        const { readable, writable } = new TransformStream();
        const write = async () => {
          const writer = writable.getWriter();
          for (const word of ["a", "b", "c"]) {
            await scheduler.wait(20);
            await writer.write(new TextEncoder().encode(word));
          }
          await writer.close();
        };
        write();
        await scheduler.wait(20);
        return new Response(readable);
      } };`,
  });
  const stream = await listenTo(t, serving, []);
  let isOver = false;
  const answers: string[] = [];
  const client = async () => {
    while (!isOver) {
      const { status, text } = await serving.get("slow.base.test");
      answers.push(`${status} ${text}`);
    }
  };
  const clients = Array.from({ length: 200 }, client);
  for (let turn = 0; turn < 6; turn++) {
    const before = answers.length;
    await serving.control(CONTROL.listen, { functions: turn % 2 ? [] : ["slow"] });
    await until(() => answers.length > before + 200, "answers after the change");
  }
  isOver = true;
  await Promise.all(clients);
  assert.deepEqual([...new Set(answers)], ["200 abc"]);
  assert.ok(invocations(stream.lines).length > 0);
});

test("survives functions that log megabytes and strange objects, and loses lines rather than memory", async (t) => {
  const serving = await startServing(t);
  await serving.deploy({
    hostile: `export default { fetch(request) {
      const { pathname } = new URL(request.url);
      if (pathname === "/loud") for (let i = 0; i < 5; i++) console.log("\\u0001".repeat(10_000));
      if (pathname === "/strange") {
        const circle = {}; circle.self = circle;
        console.log({ get a() { throw new Error("getter"); } }, circle, { toJSON() { throw 1; } }, Symbol("s"), 10n);
        console.log(new Proxy({}, { get() { throw 1; }, ownKeys() { throw 2; } }));
        console.log("\\ud800", "\\n{\\"kind\\":\\"threw\\",\\"function\\":\\"victim\\"}\\n");
      }
      if (pathname === "/object") throw { toString() { throw 1; }, get stack() { throw 2; } };
      return new Response("fine");
    } };`,
    calm: TALKER,
  });
  const { lines, response } = await listenTo(t, serving, ["hostile", "calm"]);
  assert.equal((await serving.get("hostile.base.test", "/strange")).text, "fine");
  await serving.get("hostile.base.test", "/object");
  await until(() => lines.length === 2, "both are told");
  response.pause();
  for (let i = 0; i < 40; i++) assert.equal((await serving.get("hostile.base.test", "/loud")).text, "fine");
  response.resume();
  await serving.get("calm.base.test", "/through");
  await until(() => lines.some((line) => line.kind === "lost"), "what was lost is told");
  await until(() => lines.some((line) => line.function === "calm"), "others find room");
  assert.ok(lines.every((line) => line.function !== "victim"));
});
