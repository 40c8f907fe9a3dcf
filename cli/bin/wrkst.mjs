#!/usr/bin/env node
// Starts the built command. Stands apart so that the link to it exists before the first build.
import { createRequire } from "node:module";

try {
  createRequire(import.meta.url)("../dist/wrkst.cjs");
} catch (error) {
  if (error?.code !== "MODULE_NOT_FOUND" || !String(error.message).includes("dist")) throw error;
  process.stderr.write('wrkst: error: the command is not built yet\nwrkst: hint: run "npm run build"\n');
  process.exitCode = 1;
}
