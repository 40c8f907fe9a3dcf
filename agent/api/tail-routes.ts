// The routes of what functions say. Invariant: nobody hears a function without the right to `logs` of its account.

import { z } from "zod";
import { type Auth, permits } from "../auth/index.js";
import { sendEnvelope } from "./cloudflare/envelope.js";
import { PREFIX, S } from "./cloudflare/index.js";
import { unknownFunction } from "./gate.js";
import type { Platform } from "./platform.js";
import type { Call, Routes } from "./routes.js";
import { type From, LOGS_QUERY, TAIL_QUERY, type TailCalls } from "./tails.js";

export interface TailRouteDeps {
  calls: TailCalls;
  platform: Pick<Platform, "ownerOf">;
  auth: Pick<Auth, "authenticate">;
}

const OF_FUNCTION = { action: "logs", of: "function" } as const;
const OF_ACCOUNT = { action: "logs", of: "account" } as const;
const creation = z.looseObject({ filters: z.unknown().optional() });

type FromOf = (call: Call) => From;

export function addTailRoutes(routes: Routes, deps: TailRouteDeps): void {
  const fromOf = ({ req, client, params }: Call) => ({
    address: client.address,
    mayStay: () => mayHear(deps, { authorization: req.headers.authorization, address: client.address }, params.name),
  });
  addOwnRoutes(routes, deps.calls, fromOf);
  addCloudflareShaped(routes, deps, fromOf);
}

/** Asked again while a tail lasts: a credential may be revoked, a user disabled, a function removed (SECURITY.md A5). */
async function mayHear(
  { auth, platform }: TailRouteDeps,
  { authorization, address }: { authorization: string | undefined; address: string },
  name = "",
): Promise<boolean> {
  const identity = await auth.authenticate(authorization, address).catch(() => undefined);
  const owner = platform.ownerOf(name);
  return identity !== undefined && owner !== undefined && permits(identity, "logs", owner);
}

function addOwnRoutes(routes: Routes, calls: TailCalls, fromOf: FromOf): void {
  routes.add(
    {
      ...{ method: "GET", path: "/api/v1/functions/:name/logs", rule: OF_FUNCTION, query: LOGS_QUERY },
      summary: "What a function threw, and what it said while it is observed",
    },
    ({ params, query }) => calls.logs(params.name ?? "", query),
  );
  routes.add(
    {
      ...{ method: "GET", path: "/api/v1/functions/:name/tail", rule: OF_FUNCTION, query: TAIL_QUERY, streams: true },
      summary: "What a function says from now on, as server-sent events",
    },
    (call) => calls.stream(call.res, call.params.name ?? "", { query: call.query, ...fromOf(call) }),
  );
}

/** As wrangler asks. A tail's address holds its secret, so that the WebSocket needs no credential. */
function addCloudflareShaped(routes: Routes, { calls, platform }: TailRouteDeps, fromOf: FromOf): void {
  const nameOf = ({ params, account }: Call): string => {
    const { name = "" } = params;
    if (platform.ownerOf(name) !== account) throw unknownFunction(name);
    return name;
  };
  for (const path of [`${PREFIX}${S}/tails`, `${S}/tails`]) {
    routes.addAs(
      sendEnvelope,
      { method: "POST", path, rule: OF_ACCOUNT, body: creation, secret: true, summary: "Begins a live tail" },
      (call) => calls.create(nameOf(call), { filters: call.body.filters, ...fromOf(call) }),
    );
    routes.addAs(sendEnvelope, { method: "GET", path, rule: OF_ACCOUNT, summary: "Live tails" }, (call) =>
      calls.list(nameOf(call)),
    );
    routes.addAs(
      sendEnvelope,
      { method: "DELETE", path: `${path}/:id`, rule: OF_ACCOUNT, summary: "Ends a live tail" },
      (call) => {
        calls.remove(nameOf(call), call.params.id ?? "");
        return null;
      },
    );
  }
}
