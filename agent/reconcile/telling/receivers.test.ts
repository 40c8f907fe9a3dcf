import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { after, afterEach, type TestContext, test } from "node:test";
import { listen } from "../../notify/testing.js";
import { MOST_WAITING } from "../../store/index.js";
import { newTelling, type TestTelling } from "./testing.js";

const receiver = await listen();
after(() => receiver.close());
const answer = receiver.answer;
afterEach(() => {
  receiver.heard.length = 0;
  receiver.answer = answer;
});

const by = { name: "ada", email: null, credential: "admin", address: "127.0.0.1" };
const HIDDEN = "s3cret-of-the-address";
const address = () => `${receiver.url}/services/${HIDDEN}`;

async function started(
  t: TestContext,
  kind: "slack" | "webhook" = "webhook",
): Promise<TestTelling & { secret: string }> {
  const opened = newTelling(t);
  const { secret = "" } = await opened.telling.addNotification(
    "ops",
    { kind, address: address(), events: ["a.*"] },
    by,
  );
  opened.telling.start();
  return { ...opened, secret };
}
const tell = ({ registry }: Pick<TestTelling, "registry">, ...messages: string[]) => {
  for (const message of messages) registry.addEvent({ kind: "a.b", source: "shop", message, actor: by });
};
const said = () => receiver.heard.map(({ body }) => (JSON.parse(body) as { data: { message: string } }).data.message);

test("sends each event that is heard, in order, signed with the secret that was told once", async (t) => {
  const opened = await started(t);
  tell(opened, "one", "two");
  opened.registry.addEvent({ kind: "other.kind", message: "not heard" });
  await opened.telling.calm();
  assert.deepEqual(said(), ["one", "two"]);
  const { method, path, headers, body } = receiver.heard[0]!;
  assert.deepEqual([method, path], ["POST", `/services/${HIDDEN}`]);
  const key = Buffer.from(opened.secret.slice("whsec_".length), "base64");
  const signed = `${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${body}`;
  assert.equal(headers["webhook-signature"], `v1,${createHmac("sha256", key).update(signed).digest("base64")}`);
  const { data } = JSON.parse(body) as { data: object };
  assert.ok(!JSON.stringify(data).includes("credential"), "internals of the actor are told to nobody");
  assert.deepEqual(opened.counted, ["webhook sent", "webhook sent"]);
  assert.equal(opened.telling.notification("ops").waiting, 0);
});

test("says in one message to people what happened together, and what comes within a second in the next", async (t) => {
  const opened = await started(t, "slack");
  tell(opened, "one", "two", "three");
  await opened.telling.calm();
  tell(opened, "four");
  await opened.telling.calm();
  assert.equal(receiver.heard.length, 1);
  assert.deepEqual(JSON.parse(receiver.heard[0]!.body), {
    text: ["one", "two", "three"]
      .map((word) => `*a.b* (shop) ${word} <https://w.example.com/api/v1/sources/shop>`)
      .join("\n"),
  });
  await opened.tick();
  assert.deepEqual([receiver.heard.length, opened.counted], [2, ["slack sent", "slack sent"]]);
});

test("tries again in order and with the same id, and holds up no other receiver", async (t) => {
  const opened = await started(t);
  const { telling, counted } = opened;
  await telling.addNotification("second", { kind: "webhook", address: `${receiver.url}/second`, events: ["a.*"] }, by);
  receiver.answer = (res, { path }) => res.writeHead(path === "/second" ? 200 : 503).end();
  tell(opened, "one", "two");
  await telling.calm();
  assert.deepEqual(counted.sort(), ["webhook again", "webhook sent", "webhook sent"]);
  receiver.answer = answer;
  await opened.tick();
  const own = receiver.heard.filter(({ path }) => path !== "/second");
  const ids = own.map(({ headers }) => headers["webhook-id"]);
  assert.deepEqual([own.length, ids[0] === ids[1], ids[1] === ids[2]], [3, true, false]);
  const times = own.map(({ headers }) => Number(headers["webhook-timestamp"]));
  assert.deepEqual(times, [times[0], times[0]! + 5, times[0]! + 5]);
});

test("what waits survives the end of the agent, and a receiver that hangs keeps it from nothing (D2)", async (t) => {
  const opened = await started(t);
  let reached = () => {};
  const hanging = new Promise<void>((resolve) => {
    reached = resolve;
  });
  receiver.answer = () => reached();
  tell(opened, "one");
  await hanging;
  tell(opened, "two");
  const again = await opened.restart();
  receiver.answer = answer;
  again.telling.start();
  await again.telling.calm();
  assert.deepEqual(said(), ["one", "one", "two"]);
  assert.equal(receiver.heard[0]?.headers["webhook-id"], receiver.heard[1]?.headers["webhook-id"]);
});

test("keeps the newest thousand for a receiver that is away, and counts what it forgot", async (t) => {
  const opened = newTelling(t);
  await opened.telling.addNotification("ops", { kind: "webhook", address: address(), events: ["a.*"] }, by);
  const functions = { cause: "sync", author: "ada", functions: [] } as const;
  const events = Array.from({ length: MOST_WAITING + 5 }, (_, at) => ({ kind: "a.b", message: String(at) }));
  opened.registry.applySwitch({ ...functions, functions: [], events });
  const [head] = opened.registry.notifications.due(opened.clock.now);
  assert.deepEqual([opened.telling.notification("ops").waiting, head?.event.message], [MOST_WAITING, "5"]);
  assert.equal(opened.counted.length, 5);
});

test("an event that is not kept is told to nobody", async (t) => {
  const opened = await started(t);
  const events = [{ kind: "a.b", message: "one" }];
  const taken = { account: "other", name: "hello", source: null, folder: null, state: "ready" } as const;
  opened.registry.applySwitch({ cause: "sync", author: "ada", functions: [{ ...taken, account: "main" }] });
  assert.throws(() => opened.registry.applySwitch({ cause: "sync", author: "ada", functions: [taken], events }));
  await opened.telling.calm();
  assert.deepEqual(said(), []);
});

test("gives up what is refused, and says so once until it is well again", async (t) => {
  const opened = await started(t);
  receiver.answer = (res) => res.writeHead(404).end("no_service");
  tell(opened, "one", "two");
  await opened.telling.calm();
  assert.equal(opened.telling.notification("ops").problem, "it answered 404");
  receiver.answer = answer;
  tell(opened, "three");
  await opened.telling.calm();
  assert.equal(opened.telling.notification("ops").problem, undefined);
  assert.deepEqual(opened.counted, ["webhook refused", "webhook refused", "webhook sent"]);
  const kinds = opened.registry
    .events({ limit: 10 })
    .map(({ kind }) => kind)
    .filter((kind) => kind !== "a.b");
  assert.deepEqual(kinds.reverse(), ["notification.added", "notification.failed", "notification.recovered"]);
});

test("sends a test at once and says what came back, without what is secret (B8)", async (t) => {
  const { telling } = await started(t, "slack");
  receiver.answer = (res) => res.writeHead(404).end(`no such hook: /services/${HIDDEN}`);
  const first = await telling.testNotification("ops", by);
  assert.deepEqual(first, { isSent: false, status: 404, message: "no such hook: [secret]" });
  receiver.answer = (res) => res.writeHead(200).end("ok");
  assert.deepEqual(await telling.testNotification("ops", by), { isSent: true, status: 200, message: "ok" });
  receiver.answer = (res) => res.destroy();
  const lost = await telling.testNotification("ops", by);
  assert.deepEqual([lost.isSent, lost.status], [false, null]);
  await assert.rejects(telling.testNotification("nobody", by), { code: "ERR_NOT_FOUND" });
});

test("shows an address and a secret nowhere, and refuses addresses that may not be asked (B8, C2)", async (t) => {
  const opened = await started(t);
  const { telling, registry, logged, secret } = opened;
  receiver.answer = (res) => res.writeHead(500).end(HIDDEN);
  tell(opened, "one");
  await telling.calm();
  const shown = JSON.stringify([telling.notifications(), registry.events({ limit: 50 }), logged]);
  assert.ok(!shown.includes(HIDDEN) && !shown.includes(secret), shown);
  const sealed = JSON.stringify(registry.notifications.secrets("ops"));
  assert.ok(!sealed.includes(HIDDEN));
  const add = (address: string) => telling.addNotification("more", { kind: "slack", address }, by);
  await assert.rejects(add("https://127.0.0.2/x"), { code: "ERR_INVALID" });
  await assert.rejects(add("http://hooks.example.com/x"), { code: "ERR_INVALID" });
  await assert.rejects(add("https://me:pass@hooks.example.com/x"), { code: "ERR_INVALID" });
  await assert.rejects(add("file:///etc/passwd"), { code: "ERR_INVALID" });
  await assert.rejects(telling.addNotification("ops", { kind: "slack", address: address() }, by), {
    code: "ERR_CONFLICT",
  });
});

test("is edited in what is named, with a new secret on request, and removed with what waits", async (t) => {
  const opened = newTelling(t);
  const { telling } = opened;
  const { secret } = await telling.addNotification("ops", { kind: "webhook", address: address(), events: ["a.*"] }, by);
  const kept = await telling.editNotification("ops", { sources: ["shop"], errorsOnly: true }, by);
  assert.deepEqual([kept.secret, kept.notification.events, kept.notification.sources], [undefined, ["a.*"], ["shop"]]);
  const rotated = await telling.editNotification("ops", { rotate: true, errorsOnly: false }, by);
  assert.ok(rotated.secret?.startsWith("whsec_") && rotated.secret !== secret);
  tell(opened, "one");
  assert.equal(telling.notification("ops").waiting, 1);
  telling.removeNotification("ops", by);
  assert.throws(() => telling.notification("ops"), { code: "ERR_NOT_FOUND" });
  assert.deepEqual(opened.registry.notifications.due(opened.clock.now), []);
});
