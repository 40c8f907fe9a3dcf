// `POST /webhooks/<source>/<provider>`: a forge says that something was pushed. Invariant: nothing is believed, and
// nothing changes, before the signature over the raw bytes is found right (SECURITY.md C3).

import type { IncomingMessage } from "node:http";
import type { Attempts } from "../../auth/attempts.js";
import { type Auth, MAIN, permits } from "../../auth/index.js";
import { WrkstError } from "../../errors.js";
import type { PassReport, SourceStatus } from "../../model.js";
import type { DeliveryRecords } from "../../store/index.js";
import { type Budget, declaredSize, expectDeclaredSize, readBody } from "../body.js";
import type { Job, Platform } from "../platform.js";
import { concernOf, type Followed } from "./concern.js";
import type { Provider, Push, Verifier } from "./provider.js";
import { PROVIDER_NAMES, providerOf } from "./providers.js";

export type FollowedSource = Pick<SourceStatus, "name"> & Followed;

export interface WebhookOptions {
  platform: { sync: Platform["sync"] };
  /** With its settings: they say which references concern it. */
  find(source: string): FollowedSource | undefined;
  /** Secret of a source's webhook, for a provider. */
  secretOf: (source: string, provider: string) => string | undefined;
  /** Knows the tokens of CI jobs. */
  auth: Pick<Auth, "authenticate">;
  attempts: Attempts;
  /** What was handled before. */
  deliveries: DeliveryRecords;
  now?: () => number;
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

/** What GitHub and GitLab send at most. */
const MAX_BODY = 25 * 2 ** 20;
/** An address with too many failures is still heard, since a valid signature is never refused, but not at length. */
const MAX_BODY_OF_SUSPECT = 256 * 2 ** 10;
/** It names a reference and a commit. */
const MAX_BODY_OF_JOB = 64 * 2 ** 10;
const BODY_TIME = 30_000;
const MEMORY = 128 * 2 ** 20;
const MAX_NAMED = 200;

export type Webhooks = (req: IncomingMessage, call: WebhookCall) => Promise<WebhookResult>;

export function createWebhooks(options: WebhookOptions): Webhooks {
  const budget: Budget = { left: MEMORY };
  const replays = createReplays(options.deliveries);
  return async (req, call) => {
    const { source, provider } = addressee(options, call);
    const { body, author } = await readProven(options, { req, call, source, provider, budget });
    const { headers } = req;
    const { id, event, kind } = provider.delivery(headers);
    const key = id === undefined ? undefined : `${source.name} ${call.provider} ${id}`;
    if (key !== undefined && replays.isKnown(key)) {
      return { result: "seen", detail: "already seen: this delivery was handled before" };
    }
    const handle = async (): Promise<WebhookResult> => {
      if (kind === "ping") return { result: "pong", detail: `webhook of source "${source.name}" is set up` };
      if (kind === "other") return { result: "ignored", detail: `event "${event}" means nothing here` };
      const pushes = provider.pushes(body, { headers, event });
      return handlePushes(options.platform, { ...call, source, author, pushes });
    };
    return key === undefined ? handle() : replays.handle(key, handle);
  };
}

function addressee({ find }: WebhookOptions, call: WebhookCall) {
  const source = find(call.source);
  const provider = providerOf(call.provider);
  if (source && provider) return { source, provider };
  throw new WrkstError("ERR_NOT_FOUND", `there is no webhook for source "${call.source}" and "${call.provider}"`, {
    hint: `the address is /webhooks/<source>/<provider>, with one of ${PROVIDER_NAMES.join(", ")}`,
  });
}

interface Arrival {
  req: IncomingMessage;
  call: WebhookCall;
  source: FollowedSource;
  provider: Provider;
  budget: Budget;
}

/** The body, once it is proven who sent it, and that name. */
async function readProven(options: WebhookOptions, arrival: Arrival): Promise<{ body: Buffer; author: string }> {
  const { req, call, provider, source, budget } = arrival;
  if (provider.proof.kind === "secret") {
    const secret = expectSecret(options, call);
    const { verifier } = provider.proof;
    const open = () => verifier(req.headers, secret, (options.now ?? Date.now)());
    const body = await readVerified(req, { ...options, open, budget, address: call.address });
    return { body, author: `webhook:${call.provider}` };
  }
  expectDeclaredSize(req, MAX_BODY_OF_JOB);
  const author = await expectCiJob(options.auth, { req, call, source });
  return { author, body: await readBody(req, { size: MAX_BODY_OF_JOB, time: BODY_TIME, budget }, () => undefined) };
}

function expectSecret({ secretOf }: WebhookOptions, { source, provider }: WebhookCall): string {
  const secret = secretOf(source, provider);
  if (secret) return secret;
  throw new WrkstError("ERR_FORBIDDEN", `the webhook of source "${source}" has no secret for "${provider}"`, {
    hint: `make one: wrkst source webhook ${provider} --source ${source}; or set WEBHOOK_SECRET for source "default"`,
  });
}

/** Only the token of a CI job, under a rule that lets it deploy: neither a person's nor an API token is meant here. */
async function expectCiJob(auth: WebhookOptions["auth"], { req, call, source }: Omit<Arrival, "provider" | "budget">) {
  const identity = await auth.authenticate(req.headers.authorization, call.address);
  if (identity?.credential.kind !== "ci-token") {
    throw new WrkstError("ERR_UNAUTHORIZED", "expected the ID token of a CI job that a rule of the operator names", {
      hint: 'send "Authorization: Bearer <token>"; the rules are those of OIDC_CI_RULES',
    });
  }
  // Who may deploy by hand to the account may say that there is something to fetch for it.
  if (permits(identity, "deploy", source.settings?.account ?? MAIN)) return identity.name;
  throw new WrkstError("ERR_FORBIDDEN", `the rule of this CI job does not let it sync source "${source.name}"`, {
    hint: 'its account must be that of the source, with the scope "deploy"',
  });
}

interface Verification {
  open: () => Verifier;
  budget: Budget;
  attempts: Attempts;
  address: string;
}

async function readVerified(req: IncomingMessage, { open, budget, attempts, address }: Verification) {
  const suspect = attempts.exhausted(address);
  const size = suspect ? MAX_BODY_OF_SUSPECT : MAX_BODY;
  if (suspect && !((declaredSize(req) ?? Number.POSITIVE_INFINITY) <= size)) throw tooManyFailures();
  try {
    const verifier = open();
    const body = await readBody(req, { size, time: BODY_TIME, budget }, (chunk) => verifier.update(chunk));
    if (verifier.isRight()) return body;
    throw new WrkstError("ERR_WEBHOOK_SIGNATURE", "the signature does not fit the body", {
      hint: "compare the secret on the forge with the one here; the content type there must be application/json",
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
  source: FollowedSource;
  author: string;
  pushes: Push[];
}

/** The payload only wakes the loop; what is fetched decides. A deleted branch wakes it too, so that status can say so. */
async function handlePushes(
  platform: WebhookOptions["platform"],
  { source, author, pushes, wait, signal }: PushCall,
): Promise<WebhookResult> {
  const concerns = pushes.map((push) => ({ push, concern: concernOf(push.ref, source) }));
  const followed = concerns.find(({ concern }) => concern === "followed")?.push;
  if (!followed && !concerns.some(({ concern }) => concern === "previewed")) {
    const refs = pushes.map(({ ref }) => `"${ref}"`).join(", ");
    const moved = refs.length > MAX_NAMED ? `${refs.slice(0, MAX_NAMED)}…` : refs;
    return { result: "ignored", detail: `source "${source.name}" follows "${source.branch}", the push is to ${moved}` };
  }
  // Previews are looked at after every pass.
  const outcome = await platform.sync(source.name, {
    ...{ wait, signal, cause: "webhook", author, force: false, prune: false },
    ...(followed?.commit === undefined ? {} : { goal: followed.commit }),
  });
  return "phases" in outcome ? { result: "done", report: outcome } : { result: "accepted", job: outcome };
}

/** The delivery is noted once it was handled: one that a restart cuts off may come again. */
function createReplays(deliveries: DeliveryRecords) {
  const underWay = new Set<string>();
  return {
    isKnown: (key: string) => underWay.has(key) || deliveries.delivered(key),
    async handle<T>(key: string, work: () => Promise<T>): Promise<T> {
      underWay.add(key);
      try {
        const done = await work();
        deliveries.addDelivery(key);
        return done;
      } finally {
        underWay.delete(key);
      }
    },
  };
}
