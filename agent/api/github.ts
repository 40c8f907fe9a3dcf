// What GitHub's webhooks say: signature, delivery, push. Pure.
// https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries

import type { IncomingHttpHeaders } from "node:http";
import { z } from "zod";
import { WrkstError } from "../errors.js";

/** The 32 bytes of `X-Hub-Signature-256`. @throws WrkstError ERR_WEBHOOK_SIGNATURE */
export function parseSignature(headers: IncomingHttpHeaders): Buffer {
  const raw = headers["x-hub-signature-256"];
  const [, hex] = /^sha256=([0-9a-f]{64})$/i.exec(typeof raw === "string" ? raw : "") ?? [];
  if (hex !== undefined) return Buffer.from(hex, "hex");
  const old = raw === undefined && headers["x-hub-signature"] !== undefined;
  throw new WrkstError(
    "ERR_WEBHOOK_SIGNATURE",
    `expected "X-Hub-Signature-256: sha256=<64 hex>", received ${old ? "only the SHA-1 header" : raw === undefined ? "none" : "something else"}`,
    { hint: "set the webhook's secret on GitHub to the value of WEBHOOK_SECRET" },
  );
}

export interface Delivery {
  id: string;
  event: string;
}

/** @throws WrkstError ERR_INVALID */
export function parseDelivery(headers: IncomingHttpHeaders): Delivery {
  const id = headers["x-github-delivery"];
  const event = headers["x-github-event"];
  if (typeof id !== "string" || !/^[\w-]{1,100}$/.test(id)) {
    throw new WrkstError("ERR_INVALID", 'expected a delivery id in "X-GitHub-Delivery"');
  }
  if (typeof event !== "string" || !/^\w{1,100}$/.test(event)) {
    throw new WrkstError("ERR_INVALID", 'expected the name of an event in "X-GitHub-Event"');
  }
  return { id, event };
}

const PUSH = z.object({
  ref: z.string().min(1).max(1000),
  after: z.string().regex(/^[0-9a-f]{40}$/),
  deleted: z.boolean().optional(),
});

export interface Push {
  ref: string;
  /** The commit announced; undefined when the ref was deleted. */
  commit: string | undefined;
}

/** The push of a body, JSON or a form with a field `payload`. @throws WrkstError ERR_INVALID */
export function parsePush(body: Buffer, contentType: string | undefined): Push {
  const result = PUSH.safeParse(parseJson(payloadOf(body, contentType)));
  if (!result.success) {
    const [issue] = result.error.issues;
    throw new WrkstError("ERR_INVALID", `the push: expected "${issue?.path.join(".")}" as GitHub sends it`);
  }
  const { ref, after, deleted } = result.data;
  return { ref, commit: deleted || /^0+$/.test(after) ? undefined : after };
}

function payloadOf(body: Buffer, contentType = ""): string {
  const kind = contentType.split(";")[0]?.trim().toLowerCase();
  if (kind === "application/json") return body.toString("utf8");
  const payload =
    kind === "application/x-www-form-urlencoded" ? new URLSearchParams(body.toString("utf8")).get("payload") : null;
  if (payload !== null) return payload;
  throw new WrkstError("ERR_INVALID", 'expected "application/json", or a form with a field "payload"');
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new WrkstError("ERR_INVALID", "the body is no JSON");
  }
}
