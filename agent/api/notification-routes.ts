// `/api/v1/notifications`: who is told what happens. Invariant: an address is never answered, a secret once.

import { z } from "zod";
import { type NotificationDetail, type NotificationRequest, RECEIVER_KINDS, type ReceiverKind } from "../model.js";
import type { Telling } from "../reconcile/telling.js";
import { parseName, present } from "./requests.js";
import { Reply, type Routes } from "./routes.js";

const RULE = { action: "admin", of: "main" } as const;
const PATH = "/api/v1/notifications";

const globs = z
  .array(z.string().regex(/^[a-z0-9.*-]{1,100}$/, "expected a name, or a glob with *"))
  .min(1)
  .max(50);
const filter = {
  events: globs
    .optional()
    .describe('Kinds of events, as globs such as "function.*"; default: of functions and sources'),
  sources: globs.optional(),
  functions: globs.optional(),
  accounts: globs.optional(),
  errorsOnly: z.boolean().optional().describe("Only what somebody should look at"),
};
const address = z.string().max(2_000).describe("https; sealed, and never answered whole");
const addSchema = z.strictObject({ name: z.string().max(63), kind: z.enum(RECEIVER_KINDS), address, ...filter });
const editSchema = z.strictObject({
  address: address.optional(),
  rotate: z.boolean().optional().describe("A new secret to sign with; it is in the answer, once"),
  ...filter,
});

const detail = z.looseObject({
  name: z.string(),
  kind: z.enum(RECEIVER_KINDS),
  host: z.string().describe("Of the address"),
  events: z.array(z.string()),
  waiting: z.number().describe("Events that wait to be sent"),
  sentAt: z.number().optional(),
  problem: z.string().optional().describe("Why it did not take the last one"),
});
const withSecret = detail.extend({ secret: z.string().optional().describe("What is signed with; told once") });
const tested = z.looseObject({ isSent: z.boolean(), status: z.number().nullable(), message: z.string() });

export interface NotificationRoutesDeps {
  telling: Telling;
}

export function addNotificationRoutes(routes: Routes, { telling }: NotificationRoutesDeps): void {
  const listed = z.looseObject({ notifications: z.array(detail), cursor: z.null() });
  routes.add({ method: "GET", path: PATH, rule: RULE, answer: listed, summary: "Who is told what happens" }, () => ({
    notifications: telling.notifications(),
    cursor: null,
  }));
  const one = `${PATH}/:name`;
  routes.add(
    { method: "GET", path: one, rule: RULE, answer: detail, summary: "One receiver of notifications" },
    (call) => telling.notification(parseName(call.params.name)),
  );
  const adding = { method: "POST", path: PATH, rule: RULE, body: addSchema, answer: withSecret, secret: true } as const;
  routes.add({ ...adding, summary: "Tells another receiver what happens" }, async ({ body, actor }) => {
    const { name, kind, ...request } = body;
    const asked = { kind, ...(present(request) as NotificationRequest) } as NotificationRequest & {
      kind: ReceiverKind;
    };
    const added = answerOf(await telling.addNotification(parseName(name), asked, actor));
    return new Reply(added, { status: 201, headers: { location: `${PATH}/${added.name}` } });
  });
  const editing = {
    method: "PATCH",
    path: one,
    rule: RULE,
    body: editSchema,
    answer: withSecret,
    secret: true,
  } as const;
  routes.add({ ...editing, summary: "Changes what a receiver hears, and where" }, async ({ params, body, actor }) =>
    answerOf(await telling.editNotification(parseName(params.name), present(body) as NotificationRequest, actor)),
  );
  routes.add({ method: "DELETE", path: one, rule: RULE, summary: "Tells a receiver no more" }, ({ params, actor }) => {
    telling.removeNotification(parseName(params.name), actor);
    return new Reply(undefined, { status: 204 });
  });
  const testing = { method: "POST", path: `${one}/test`, rule: RULE, answer: tested } as const;
  routes.add({ ...testing, summary: "Sends one now, and answers what came back" }, ({ params, actor }) =>
    telling.testNotification(parseName(params.name), actor),
  );
}

function answerOf({ notification, secret }: { notification: NotificationDetail; secret?: string }) {
  return { ...notification, ...(secret === undefined ? {} : { secret }) };
}
