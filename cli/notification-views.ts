// Receivers of notifications as text for people. Pure but for the clock.

import type { NotificationDetail } from "../agent/model.js";
import type { Io } from "./io.js";
import { formatPairs, formatTable } from "./table.js";
import { printable, says } from "./wording.js";

export function listNotifications(notifications: NotificationDetail[], { now }: Pick<Io, "now">): string {
  const rows = notifications.map(({ name, kind, host, events, errorsOnly, sentAt, problem }) => ({
    cells: [
      ...[name, kind, host, `${events.join(",")}${errorsOnly ? " (errors)" : ""}`].map(printable),
      sentAt === undefined ? "never" : says.ago(now() - sentAt),
    ],
    below: problem === undefined ? [] : [`problem: ${printable(problem)}`],
  }));
  return formatTable(["NAME", "KIND", "HOST", "EVENTS", "SENT"], rows);
}

export function viewNotification(
  { name, secret, ...detail }: NotificationDetail & { secret?: string },
  { now }: Pick<Io, "now">,
): string {
  const { kind, host, events, sources, functions, accounts, errorsOnly, waiting, sentAt, problem } = detail;
  return [
    `${printable(name)}\n`,
    formatPairs([
      ["kind", kind],
      ["host", host],
      ["secret", secret],
      ["events", events.join(", ")],
      ["sources", sources?.join(", ")],
      ["functions", functions?.join(", ")],
      ["accounts", accounts?.join(", ")],
      ["only errors", errorsOnly ? "yes" : undefined],
      ["waiting", waiting ? String(waiting) : undefined],
      ["sent", sentAt === undefined ? "never" : says.ago(now() - sentAt)],
      ["problem", problem],
    ]),
  ].join("");
}
