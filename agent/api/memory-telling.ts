// What others are told, in memory, for tests of what stands in front of it: the API and the command line.
import { WrkstError } from "../errors.js";
import type { CommitStatusDetail, NotificationDetail } from "../model.js";
import type { Telling } from "../reconcile/telling.js";

export interface MemoryTelling extends Telling {
  /** By source, with the token that was given. */
  statuses: Map<string, { detail: CommitStatusDetail; token: string | undefined; by: string }>;
  receivers: Map<string, NotificationDetail>;
}

const SECRET = `whsec_${Buffer.from("of the tests").toString("base64")}`;

export function createMemoryTelling(): MemoryTelling {
  const statuses: MemoryTelling["statuses"] = new Map();
  const receivers: MemoryTelling["receivers"] = new Map();
  const expect = (name: string): NotificationDetail => {
    const found = receivers.get(name);
    if (found) return found;
    throw new WrkstError("ERR_NOT_FOUND", `there is no notification "${name}"`);
  };
  const keep = (detail: NotificationDetail) => {
    receivers.set(detail.name, detail);
    return detail;
  };
  return {
    statuses,
    receivers,
    notifications: () => [...receivers.values()],
    notification: expect,
    async addNotification(name, { kind, address = "", rotate: _, events = ["function.*", "source.*"], ...filter }) {
      if (receivers.has(name)) throw new WrkstError("ERR_CONFLICT", `there is a notification "${name}" already`);
      const host = new URL(address).host;
      const notification = keep({ name, kind, host, events, ...filter, createdAt: 1, waiting: 0 });
      return { notification, ...(kind === "webhook" ? { secret: SECRET } : {}) };
    },
    async editNotification(name, { address, rotate, ...changes }) {
      const host = address === undefined ? {} : { host: new URL(address).host };
      const notification = keep({ ...expect(name), ...changes, ...host });
      return { notification, ...(rotate ? { secret: SECRET } : {}) };
    },
    removeNotification: (name) => void receivers.delete(expect(name).name),
    async testNotification(name) {
      return { isSent: expect(name).host !== "away.example.com", status: 204, message: "" };
    },
    async setCommitStatus({ name }, { token, ...asked }, by) {
      const detail: CommitStatusDetail = {
        ...{ provider: "github", api: "https://api.github.com", repository: "you/shop", context: `wrkst/${name}` },
        ...asked,
      };
      statuses.set(name, { detail, token, by: by.name });
      return detail;
    },
    removeCommitStatus(source) {
      if (!statuses.delete(source)) throw new WrkstError("ERR_NOT_FOUND", "shown nowhere");
    },
  };
}
