// How tests start the stock wrangler: as its own script does, without a process in between.
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

const FOLDER = dirname(createRequire(import.meta.url).resolve("wrangler/package.json"));

/** Arguments for Node, before those for wrangler. */
export const WRANGLER: readonly string[] = [
  ...["--no-warnings", "--experimental-vm-modules"],
  join(FOLDER, "wrangler-dist/cli.js"),
];
