// What others are told, in memory, for tests of what stands in front of it: the API and the command line.
import { WrkstError } from "../errors.js";
import type { CommitStatusDetail } from "../model.js";
import type { Telling } from "../reconcile/telling.js";

export interface MemoryTelling extends Telling {
  /** By source, with the token that was given. */
  statuses: Map<string, { detail: CommitStatusDetail; token: string | undefined; by: string }>;
}

export function createMemoryTelling(): MemoryTelling {
  const statuses: MemoryTelling["statuses"] = new Map();
  return {
    statuses,
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
