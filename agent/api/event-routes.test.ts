// Events as they are read: pages and streams, from where a client was, over what is kept no longer, and by a client that is slow.

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import test, { after, before } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import type { PlatformEvent } from "../model.js";
import { serveApi, TOKEN } from "./testing.js";

let served: Awaited<ReturnType<typeof serveApi>>;

before(async () => {
  served = await serveApi();
});
after(() => served.close());

const eventOf = (id: number, more: Partial<PlatformEvent> = {}): PlatformEvent => {
  return { id, at: id, kind: "source.synced", source: "default", message: `event ${id}`, ...more };
};
const many = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => eventOf(from + index));

interface Heard {
  id: string | undefined;
  kind: string | undefined;
  data: string;
}

/** The first so many events of a stream. */
async function listen(count: number, headers: Record<string, string>, query = ""): Promise<Heard[]> {
  const all = { authorization: `Bearer ${TOKEN}`, accept: "text/event-stream", ...headers };
  const closing = new AbortController();
  const response = await fetch(`${served.url}/api/v1/events${query}`, { headers: all, signal: closing.signal });
  const heard: Heard[] = [];
  let rest = "";
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    const blocks = (rest + chunk).split("\n\n");
    rest = blocks.pop() ?? "";
    for (const block of blocks.filter((one) => one.includes("data:"))) heard.push(readBlock(block));
    if (heard.length >= count) break;
  }
  closing.abort();
  return heard.slice(0, count);
}

function readBlock(block: string): Heard {
  const field = (name: string) => new RegExp(`^${name}: (.*)$`, "m").exec(block)?.[1];
  return { id: field("id"), kind: field("event"), data: field("data") ?? "" };
}

const ids = (heard: Heard[]) => heard.map(({ id }) => Number(id));

test("a client that is thousands of events behind gets all of them, in order", async () => {
  served.platform.eventList = many(1, 2_345);
  const heard = await listen(2_340, { "last-event-id": "5" });
  assert.deepEqual(
    ids(heard),
    many(6, 2_345).map(({ id }) => id),
  );
});

test("a client that was away for longer than events are kept is told how many are gone, then gets the rest", async () => {
  served.platform.eventList = many(101, 103);
  const [gap, ...rest] = await listen(4, { "last-event-id": "40" });
  assert.deepEqual(gap, { id: "100", kind: "gap", data: '{"lost":60}' });
  assert.deepEqual(ids(rest), [101, 102, 103]);
  assert.deepEqual(ids(await listen(3, { "last-event-id": "100" })), [101, 102, 103]);
  const page = (await served.ask("/api/v1/events?after=40&limit=2", { token: TOKEN })).json;
  assert.deepEqual([page.lost, page.newest, page.cursor], [60, 103, "102"]);
});

test("a client whose last event was never one of this server is told so, and goes on from now", async () => {
  served.platform.eventList = many(1, 3);
  const heard = listen(2, { "last-event-id": "900" });
  const pending = setInterval(() => {
    const next = (served.platform.eventList.at(-1)?.id ?? 0) + 1;
    served.platform.eventList = [...served.platform.eventList, eventOf(next)];
  }, 50);
  const [gap, first] = await heard.finally(() => clearInterval(pending));
  assert.deepEqual([gap?.kind, gap?.data], ["gap", '{"lost":null}']);
  assert.equal(Number(first?.id), Number(gap?.id) + 1);
});

test("a stream tells only what was asked for, by source and kinds, and refuses what no kind is", async () => {
  served.platform.eventList = [
    eventOf(1),
    eventOf(2, { source: "shop" }),
    eventOf(3, { source: "shop", kind: "source.added" }),
    eventOf(4, { source: "shop" }),
  ];
  assert.deepEqual(ids(await listen(2, { "last-event-id": "0" }, "?source=shop&kind=source.synced")), [2, 4]);
  assert.equal((await served.ask("/api/v1/events?source=Shop!", { token: TOKEN })).status, 400);
  assert.equal((await served.ask("/api/v1/events?kind=a,,b", { token: TOKEN })).status, 400);
});

test("a client that does not read is not read for: what waits for it stays bounded", async () => {
  const large = "x".repeat(50_000);
  served.platform.eventList = many(1, 1_000).map((event) => ({ ...event, message: large }));
  const { events } = served.platform;
  let asked = -1;
  served.platform.events = (query) => {
    asked = Math.max(asked, query.after ?? 0);
    return events(query);
  };
  const socket = connect(served.port ?? 0, "127.0.0.1");
  await once(socket, "connect");
  socket.pause();
  const head = ["GET /api/v1/events HTTP/1.1", "host: localhost", "accept: text/event-stream", "last-event-id: 0"];
  socket.write(`${[...head, `authorization: Bearer ${TOKEN}`].join("\r\n")}\r\n\r\n`);
  // One that waits for nobody would be through all pages by then.
  while (asked < 0) await turn();
  for (let turns = 0; turns < 2_000; turns++) await turn();
  assert.ok(asked < 900, `${asked} of 1000 events were read for a client that reads none`);
  socket.destroy();
  served.platform.events = events;
});
