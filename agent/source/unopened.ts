// A source that cannot be asked: what was kept of it cannot be used. It is there all the same, and says why.

import type { WrkstError } from "../errors.js";
import type { SourceSettings } from "../model.js";
import type { Source } from "./follow.js";

/** Every question is answered with the error. */
export function unopenedSource(name: string, { repo, follow, path }: SourceSettings, error: WrkstError): Source {
  const refuse = () => Promise.reject(error);
  const reference = "branch" in follow ? follow.branch : follow.tags;
  return {
    ...{ name, repo, path, branch: reference, looksAt: undefined },
    follows: () => false,
    ...{ fetch: refuse, look: refuse, branches: refuse, resolve: refuse, contains: refuse, pinned: refuse },
    ...{ bringInPinned: refuse, bringIn: refuse, snapshot: refuse, bytes: refuse },
    watch: async () => ({ close: async () => {} }),
    close: async () => {},
  };
}
