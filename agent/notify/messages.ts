// What receivers of notifications are sent: a signed event for programs, lines of text for people. Pure.

import { createHmac } from "node:crypto";
import { formatError } from "../errors.js";
import type { ToldEvent } from "../model.js";
import { cut } from "./forges.js";
import type { Letter } from "./post.js";

/** An event with the page that others can open; null: there is none. */
export interface LinkedEvent {
  event: ToldEvent;
  link: string | null;
}

/** Events that one message of text may be about. */
export const MOST_LINES = 20;
/** Characters: what takes the same requests as Slack may take no more. */
const LONGEST_TEXT = 2_000;
const LONGEST_LINE = 400;
const LONGEST_MESSAGE = 4_000;

/**
 * One event, by https://www.standardwebhooks.com.
 * @param signing `id`: the same at every attempt; `secret`: `whsec_` and base64; `now`: milliseconds since 1970
 */
export function webhookLetter(
  url: string,
  { event, link }: LinkedEvent,
  signing: { id: string; secret: string; now: number },
): Letter {
  const body = JSON.stringify(payloadOf({ event, link }));
  const timestamp = String(Math.floor(signing.now / 1000));
  const key = Buffer.from(signing.secret.replace(/^whsec_/, ""), "base64");
  const signature = createHmac("sha256", key).update(`${signing.id}.${timestamp}.${body}`).digest("base64");
  return {
    url,
    headers: {
      "content-type": "application/json",
      "webhook-id": signing.id,
      "webhook-timestamp": timestamp,
      "webhook-signature": `v1,${signature}`,
    },
    body,
  };
}

function payloadOf({ event, link }: LinkedEvent): object {
  const { kind, at, message, error, ...rest } = event;
  return {
    ...{ type: kind, timestamp: new Date(at).toISOString(), version: 1 },
    data: {
      ...rest,
      message: cut(message, LONGEST_MESSAGE),
      ...(error ? { error: { ...error, message: cut(error.message, LONGEST_MESSAGE) } } : {}),
      ...(link === null ? {} : { link }),
    },
  };
}

/** All of them as one message, by https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks */
export function slackLetter(url: string, events: LinkedEvent[]): Letter {
  const lines: string[] = [];
  let length = 0;
  for (const event of events.slice(0, MOST_LINES)) {
    const line = lineOf(event);
    length += line.length + 1;
    if (lines.length && length > LONGEST_TEXT - 40) break;
    lines.push(line);
  }
  const more = events.length - lines.length;
  const text = [...lines, ...(more > 0 ? [`… and ${more} more: wrkst events`] : [])].join("\n");
  return { url, headers: { "content-type": "application/json" }, body: JSON.stringify({ text }) };
}

function lineOf({ event, link }: LinkedEvent): string {
  const { kind, source, revision, message, error } = event;
  const at = [source, revision?.replace(/@sha1:(.{7}).*$/, "@$1")].filter(Boolean).join(" ");
  const reason = error && !message.includes(error.message) ? `: ${formatError(error)}` : "";
  const said = quoted(cut(`${message}${reason}`.replace(/\s+/g, " "), LONGEST_LINE));
  return [`*${kind}*`, ...(at ? [`(${quoted(at)})`] : []), said, ...(link === null ? [] : [`<${link}>`])].join(" ");
}

/** Nothing in it is a link, or calls everybody. */
function quoted(text: string): string {
  const escaped = text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
  return escaped.replace(/@(?=everyone|here|channel|all)/gi, "@\u200b");
}
