// Names in a function's `env`: each stands for one thing, and none is the platform's. Pure.

import { RESERVED_PREFIX } from "../../../runtime/wire.js";
import type { Path } from "../document.js";
import { fail, formatPath, type Settings } from "../settings.js";

/** Takes names, one binding at a time; throws ERR_MANIFEST at a name that is reserved or taken. */
export function createNames(settings: Settings): { take(name: string, path: Path): void } {
  const taken = new Map<string, Path>();
  return {
    take(name, path) {
      refuseReserved(settings, name, path);
      const earlier = taken.get(name);
      if (earlier) fail(settings, path, `binding "${name}" is declared twice, also as "${formatPath(earlier)}"`);
      taken.set(name, path);
    },
  };
}

function refuseReserved(settings: Settings, name: string, path: Path): void {
  if (name.startsWith(RESERVED_PREFIX) || name === "__proto__") {
    fail(settings, path, `binding name "${name}" is reserved`, { hint: "choose a name that does not begin with __" });
  }
}
