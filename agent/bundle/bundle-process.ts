// The child process of the bundler: builds one function after the other with an esbuild service of its own. Ends, with
// its whole process group, when the agent is gone.

import { stop } from "esbuild";
import { type ErrorReport, reportOf } from "../errors.js";
import type { Bundle } from "../model.js";
import { type BuildSettings, type BundleRequest, buildFunction } from "./build.js";

export interface BuildMessage {
  id: number;
  request: BundleRequest;
  settings: BuildSettings;
}
export type BuildAnswer = { id: number; bundle: Bundle } | { id: number; error: ErrorReport };

/** The agent made this process the leader of a group, so that a hanging esbuild goes with it. */
function endGroup(): void {
  try {
    process.kill(-process.pid, "SIGKILL");
  } catch {
    stop();
    process.exit(0);
  }
}

async function answer({ id, request, settings }: BuildMessage): Promise<BuildAnswer> {
  try {
    return { id, bundle: await buildFunction(request, settings) };
  } catch (error) {
    return { id, error: reportOf(error) };
  }
}

process.on("disconnect", endGroup);
process.on("message", async (message: BuildMessage) => {
  process.send?.(await answer(message));
});
