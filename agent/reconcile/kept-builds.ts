// Versions that were built by passes which a newer revision pre-empted, until a pass switches. In memory only.
import type { Declaration, Snapshot } from "../model.js";
import { inputsOf } from "../plan/surroundings.js";
import type { Built } from "./build.js";

export interface KeptBuilds {
  add(built: Built): void;
  /** A build of the same folder, with the same surroundings, under the same name. */
  find(snapshot: Snapshot, declaration: Declaration): Promise<Built | undefined>;
  clear(): void;
}

export function createKeptBuilds(): KeptBuilds {
  const builds = new Map<string, Built>();
  return {
    add: (built) => void builds.set(keyOf(built.version.function, built.treeId), built),
    clear: () => builds.clear(),
    async find(snapshot, { name, folder }) {
      if (builds.size === 0) return undefined;
      const built = builds.get(keyOf(name, (await snapshot.treeId(folder)) ?? ""));
      if (!built) return undefined;
      const { files, folders } = built.inputs;
      const outside = { outsideFiles: Object.keys(files), outsideFolders: Object.keys(folders) };
      const now = await inputsOf(snapshot, folder, outside);
      return JSON.stringify(now) === JSON.stringify(built.inputs) ? built : undefined;
    },
  };
}

function keyOf(name: string, treeId: string): string {
  return `${name}\0${treeId}`;
}
