// `POST /webhooks/<source>/<provider>`: a forge says that something was pushed. Invariant: nothing is believed, and
// nothing changes, before the signature over the raw bytes is found right (SECURITY.md C3).

import { createHmac, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Attempts } from "../auth/attempts.js";
import { WrkstError } from "../errors.js";
import type { PassReport, SourceStatus } from "../model.js";
import { type Budget, declaredSize, readBody } from "./body.js";
import { parseDelivery, parsePush, parseSignature } from "./github.js";
import type { Job, Platform } from "./platform.js";

export interface WebhookOptions {
  platform: Pick<Platform, "sources" | "sync">;
  /** Secret of a source's webhook. */
  secretOf: (source: string) => string | undefined;
  attempts: Attempts;
}

export interface WebhookCall {
  source: string;
  provider: string;
  /** Answer when the pass is done. */
  wait: boolean;
  address: string;
  signal: AbortSignal;
}

/** What a webhook led to. */
export type WebhookResult =
  | { result: "pong" | "seen" | "ignored"; detail: string }
  | { result: "accepted"; job: Job }
  | { result: "done"; report: PassReport };

/** What GitHub sends at most. */
const MAX_BODY = 25 * 2 ** 20;
/** An address with too many failures is still heard, since a valid signature is never refused, but not at length. */
const MAX_BODY_OF_SUSPECT = 256 * 2 ** 10;
const BODY_TIME = 30_000;
const MEMORY = 128 * 2 ** 20;
const MOST_DELIVERIES = 10_000;

export type Webhooks = (req: IncomingMessage, call: WebhookCall) => Promise<WebhookResult>;

export function createWebhooks(options: WebhookOptions): Webhooks {
  const budget: Budget = { left: MEMORY };
  const seen = createReplayCache();
  return async (req, call) => {
    const { source, secret } = addressee(options, call);
    const body = await readVerified(req, { secret, budget, attempts: options.attempts, address: call.address });
    const delivery = parseDelivery(req.headers);
    const key = `${source.name} ${delivery.id}`;
    if (!seen.add(key)) return { result: "seen", detail: "already seen: this delivery was handled before" };
    try {
      if (delivery.event === "ping") return { result: "pong", detail: `webhook of source "${source.name}" is set up` };
      if (delivery.event !== "push")
        return { result: "ignored", detail: `event "${delivery.event}" means nothing here` };
      return await handlePush(options.platform, {
        ...call,
        source,
        push: parsePush(body, req.headers["content-type"]),
      });
    } catch (error) {
      // What failed may be delivered again.
      seen.forget(key);
      throw error;
    }
  };
}

function addressee({ platform, secretOf }: WebhookOptions, call: WebhookCall) {
  const source = platform.sources().find(({ name }) => name === call.source);
  if (!source || call.provider !== "github") {
    throw new WrkstError("ERR_NOT_FOUND", `there is no webhook for source "${call.source}" and "${call.provider}"`, {
      hint: "the address is /webhooks/default/github",
    });
  }
  const secret = secretOf(source.name);
  if (secret) return { source, secret };
  throw new WrkstError("ERR_FORBIDDEN", `the webhook of source "${source.name}" has no secret`, {
    hint: "set WEBHOOK_SECRET, here and on the forge, and start again",
  });
}

interface Verification {
  secret: string;
  budget: Budget;
  attempts: Attempts;
  address: string;
}

async function readVerified(req: IncomingMessage, { secret, budget, attempts, address }: Verification) {
  const suspect = attempts.exhausted(address);
  const size = suspect ? MAX_BODY_OF_SUSPECT : MAX_BODY;
  if (suspect && !((declaredSize(req) ?? Number.POSITIVE_INFINITY) <= size)) throw tooManyFailures();
  try {
    const signature = parseSignature(req.headers);
    const hmac = createHmac("sha256", secret);
    const body = await readBody(req, { size, time: BODY_TIME, budget }, (chunk) => hmac.update(chunk));
    if (timingSafeEqual(hmac.digest(), signature)) return body;
    throw new WrkstError("ERR_WEBHOOK_SIGNATURE", "the signature does not fit the body", {
      hint: "compare the webhook's secret on the forge with WEBHOOK_SECRET",
    });
  } catch (error) {
    if (!(error instanceof WrkstError) || error.code !== "ERR_WEBHOOK_SIGNATURE") throw error;
    attempts.failed(address);
    throw suspect ? tooManyFailures() : error;
  }
}

function tooManyFailures(): WrkstError {
  return new WrkstError("ERR_RATE_LIMITED", "too many wrong signatures from this address");
}

interface PushCall extends Omit<WebhookCall, "source"> {
  source: SourceStatus;
  push: ReturnType<typeof parsePush>;
}

/** The payload only wakes the loop; what is fetched decides. A deleted branch wakes it too, so that status can say so. */
async function handlePush(
  platform: WebhookOptions["platform"],
  { source, push, wait, signal, provider }: PushCall,
): Promise<WebhookResult> {
  if (push.ref !== `refs/heads/${source.branch}`) {
    return {
      result: "ignored",
      detail: `source "${source.name}" follows "${source.branch}", the push is to "${push.ref}"`,
    };
  }
  const outcome = await platform.sync(source.name, {
    ...{ wait, signal, cause: "webhook", author: `webhook:${provider}`, force: false, prune: false },
    ...(push.commit === undefined ? {} : { goal: push.commit }),
  });
  return "phases" in outcome ? { result: "done", report: outcome } : { result: "accepted", job: outcome };
}

/** Remembers the newest deliveries. */
function createReplayCache() {
  const seen = new Set<string>();
  return {
    /** Whether the key is new. */
    add(key: string): boolean {
      if (seen.has(key)) return false;
      seen.add(key);
      const [oldest] = seen;
      if (seen.size > MOST_DELIVERIES && oldest !== undefined) seen.delete(oldest);
      return true;
    },
    forget(key: string): void {
      seen.delete(key);
    },
  };
}
