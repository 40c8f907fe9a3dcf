// A live tail as server-sent events, for clients that need no WebSocket. A slow reader loses events and is told so.

import type { ServerResponse } from "node:http";
import type { TailEvent } from "../model.js";
import { noticeOf } from "./describe.js";
import type { Hub, Listener } from "./hub.js";

/** Bytes that may wait to be sent. */
const MAX_WAITING = 2 ** 20;
/** Milliseconds between comments, which keep proxies from ending the connection. */
const COMMENT_INTERVAL = 15_000;

/**
 * Answers with events until the client is gone: `data:` is the JSON of a `TailEvent`. The first thing sent is a comment,
 * once the function is listened to.
 * @throws WrkstError ERR_CONFLICT where too many listen
 */
export async function streamTail(
  hub: Pick<Hub, "listen" | "settled">,
  res: ServerResponse,
  { name, ...asked }: { name: string } & Pick<Listener, "filters" | "address" | "mayStay">,
): Promise<void> {
  let lost = 0;
  const write = (event: TailEvent) => res.write(`data: ${JSON.stringify(event)}\n\n`);
  const send = (event: TailEvent) => {
    if (!res.headersSent) return;
    if (res.writableLength > MAX_WAITING) {
      lost++;
      return;
    }
    if (lost) write(noticeOf(name, lost, event.eventTimestamp));
    lost = 0;
    write(event);
  };
  const stop = hub.listen(name, { ...asked, send, end: () => res.end() });
  const comments = setInterval(() => res.headersSent && res.write(": \n\n"), COMMENT_INTERVAL).unref();
  res.once("close", () => {
    clearInterval(comments);
    stop();
  });
  await hub.settled();
  if (res.destroyed) return;
  res.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store", "x-accel-buffering": "no" });
  res.write(": listening\n\n");
}
