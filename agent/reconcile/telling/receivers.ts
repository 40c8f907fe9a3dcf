// Receivers of notifications: added, edited, tested, and told what they are to hear. Invariant: an address and a secret are sealed,
// an address is never answered, a secret once.

import { randomBytes, randomUUID } from "node:crypto";
import { WrkstError } from "../../errors.js";
import {
  type Actor,
  isFunctionName,
  type NotificationDetail,
  type NotificationFilter,
  type NotificationTest,
  type ReceiverKind,
  type ToldEvent,
} from "../../model.js";
import {
  type AdmitTarget,
  type Letter,
  MOST_LINES,
  type Outcome,
  outcomeOf,
  outcomeOfError,
  type Post,
  slackLetter,
  webhookLetter,
} from "../../notify/index.js";
import { type Sealing, withoutSecrets } from "../../secrets/sealing.js";
import type { DeliveryRecord, Registry } from "../../store/index.js";
import type { Telling } from "../telling.js";
import type { Message, Outbox } from "./sending.js";

export interface ReceiversDeps {
  registry: Pick<Registry, "notifications" | "addEvent">;
  sealing: Sealing;
  post: Post;
  admit: AdmitTarget;
  /** Page about an event that others can open; null: none. */
  linkOf(event: ToldEvent): string | null;
  now(): number;
}

type Notifications = Pick<
  Telling,
  "notifications" | "notification" | "addNotification" | "editNotification" | "removeNotification" | "testNotification"
>;

export interface Receivers extends Notifications {
  readonly outbox: Outbox;
}

const MOST_RECEIVERS = 100;
/** Events that one message to people may be about. */
const AT_ONCE = 10 * MOST_LINES;
/** Milliseconds between two messages to people: what happens meanwhile is in the next one. */
const REST = 1_000;
const EXCERPT = 200;

const sealingOwner = (name: string) => `notification/${name}`;

/** Of `slack` only the address. */
interface Secrets {
  address: string;
  secret?: string;
}

export function createReceivers(deps: ReceiversDeps): Receivers {
  const records = deps.registry.notifications;
  return {
    ...createChanges(deps),
    notifications: () => records.list(),
    notification: (name) => expect(deps, name),
    testNotification: async (name, by) => sendTest(deps, expect(deps, name), by),
    outbox: createOutbox(deps),
  };
}

function createChanges(
  deps: ReceiversDeps,
): Pick<Notifications, "addNotification" | "editNotification" | "removeNotification"> {
  const records = deps.registry.notifications;

  async function save(
    name: string,
    settings: NotificationFilter & { kind: ReceiverKind },
    secrets: Secrets,
  ): Promise<NotificationDetail> {
    const { host } = checkAddress(secrets.address);
    await deps.admit(secrets.address);
    records.save(name, { ...settings, host }, deps.sealing.seal(sealingOwner(name), { ...secrets }));
    return expect(deps, name);
  }

  return {
    async addNotification(name, { kind, address, rotate: _, events = ["function.*", "source.*"], ...filter }, by) {
      if (!isFunctionName(name)) throw invalid(`expected a name of lower case letters, digits and "-"`);
      if (records.find(name)) throw new WrkstError("ERR_CONFLICT", `there is a notification "${name}" already`);
      if (records.list().length >= MOST_RECEIVERS) throw invalid(`expected at most ${MOST_RECEIVERS} notifications`);
      if (address === undefined) throw invalid("expected an address");
      const secret = kind === "webhook" ? { secret: newSecret() } : {};
      const notification = await save(name, { kind, events, ...filter }, { address, ...secret });
      note(deps, "added", name, by);
      return { notification, ...secret };
    },
    async editNotification(name, { address, rotate, ...changes }, by) {
      const { kind, events, sources, functions, accounts, errorsOnly } = expect(deps, name);
      const before = secretsOf(deps, name);
      const secret = rotate && kind === "webhook" ? { secret: newSecret() } : {};
      const filter = { events, sources, functions, accounts, errorsOnly, ...changes };
      const told = Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== undefined));
      const settings = { kind, ...(told as unknown as NotificationFilter) };
      const secrets = { ...before, ...secret, ...(address === undefined ? {} : { address }) };
      const notification = await save(name, settings, secrets);
      note(deps, "edited", name, by);
      return { notification, ...secret };
    },
    removeNotification(name, by) {
      expect(deps, name);
      records.remove(name);
      note(deps, "removed", name, by);
    },
  };
}

/** One now, past what waits. */
async function sendTest(deps: ReceiversDeps, { name, kind }: NotificationDetail, by: Actor): Promise<NotificationTest> {
  const event: ToldEvent = {
    ...{ id: 0, at: deps.now(), kind: "notification.test", actor: by.name },
    message: `a test of the notification "${name}"`,
  };
  note(deps, "tested", name, by);
  const secrets = secretsOf(deps, name);
  const clean = (text: string) => withoutSecrets(text, privateParts(secrets)).slice(0, EXCERPT);
  const letter = letterOf(deps, { kind, secrets, id: `evt_${randomUUID()}`, events: [event] });
  try {
    const answer = await deps.post(letter, new AbortController().signal);
    const outcome = outcomeOf(answer, deps.now());
    return { isSent: outcome.kind === "sent", status: answer.status, message: clean(answer.text) };
  } catch (error) {
    const outcome = outcomeOfError(error);
    return { isSent: false, status: null, message: outcome.kind === "sent" ? "" : clean(outcome.message) };
  }
}

function createOutbox(deps: ReceiversDeps): Outbox {
  const records = deps.registry.notifications;

  function messageOf(head: DeliveryRecord): Message[] {
    const { receiver: name, id, attempts, at } = head;
    const receiver = records.find(name);
    if (!receiver) return [];
    const { kind } = receiver;
    // People read what happened together in one message; programs get one event each.
    const rows = kind === "slack" ? records.waiting(name, AT_ONCE) : [head];
    return [
      {
        ...{ lane: `notification ${name}`, kind, attempts, at },
        begin: () => records.begin(rows),
        async send(signal): Promise<Outcome> {
          const events = rows.map(({ event }) => event);
          const letter = letterOf(deps, { kind, secrets: secretsOf(deps, name), id, events });
          return outcomeOf(await deps.post(letter, signal), deps.now());
        },
        again: (time) => records.again(rows, time),
        end: (problem) => end(deps, { kind, name, rows }, problem),
      },
    ];
  }

  return { due: (now) => records.due(now).flatMap(messageOf), nextAt: (now) => records.nextAt(now) };
}

/** Said once until it is well again. */
function end(
  { registry }: ReceiversDeps,
  { kind, name, rows }: { kind: ReceiverKind; name: string; rows: DeliveryRecord[] },
  problem: string | undefined,
): void {
  const records = registry.notifications;
  const before = records.find(name)?.problem;
  records.end(rows, { problem, ...(kind === "slack" ? { rest: REST } : {}) });
  if (problem !== undefined && before === undefined) {
    registry.addEvent({ kind: "notification.failed", message: `the notification "${name}" was not taken: ${problem}` });
  }
  if (problem === undefined && before !== undefined) {
    registry.addEvent({ kind: "notification.recovered", message: `the notification "${name}" is taken again` });
  }
}

function letterOf(
  { linkOf, now }: ReceiversDeps,
  { kind, secrets, id, events }: { kind: ReceiverKind; secrets: Secrets; id: string; events: ToldEvent[] },
): Letter {
  const linked = events.map((event) => ({ event, link: linkOf(event) }));
  if (kind === "slack") return slackLetter(secrets.address, linked);
  return webhookLetter(secrets.address, linked[0]!, { id, secret: secrets.secret ?? "", now: now() });
}

function secretsOf({ registry, sealing }: ReceiversDeps, name: string): Secrets {
  return sealing.open(sealingOwner(name), registry.notifications.secrets(name)) as unknown as Secrets;
}

/** What an answer might repeat. */
function privateParts({ address, secret }: Secrets): string[] {
  const { pathname, search } = new URL(address);
  return [address, `${pathname}${search}`, pathname, secret ?? ""].filter((part) => part.length > 1);
}

function checkAddress(raw: string): URL {
  const url = raw.length <= 2_000 && URL.canParse(raw) ? new URL(raw) : undefined;
  if (url && /^https?:$/.test(url.protocol) && !url.username && !url.password && !url.hash) return url;
  throw invalid("expected an https address without a user name");
}

const newSecret = () => `whsec_${randomBytes(32).toString("base64")}`;

function expect({ registry }: ReceiversDeps, name: string): NotificationDetail {
  const found = registry.notifications.find(name);
  if (found) return found;
  throw new WrkstError("ERR_NOT_FOUND", `there is no notification "${name}"`, { hint: "see: wrkst notify list" });
}

function note(
  { registry }: ReceiversDeps,
  verb: "added" | "edited" | "removed" | "tested",
  name: string,
  by: Actor,
): void {
  const message = `the notification "${name}" was ${verb} by ${by.name}`;
  registry.addEvent({ kind: `notification.${verb}`, message, actor: by });
}

function invalid(message: string): WrkstError {
  return new WrkstError("ERR_INVALID", message);
}
