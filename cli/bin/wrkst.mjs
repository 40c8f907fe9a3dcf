#!/usr/bin/env node
// Starts the built command. Stands apart so that the link to it exists before the first build.
import module, { createRequire } from "node:module";

try {
  // From Node 22.8 on, what was compiled once is read from the folder for temporary files the next time.
  module.enableCompileCache?.();
  createRequire(import.meta.url)("../dist/wrkst.cjs");
} catch (error) {
  if (error?.code !== "MODULE_NOT_FOUND" || !String(error.message).includes("dist")) throw error;
  process.stderr.write('wrkst: error: the command is not built yet\nwrkst: hint: run "npm run build"\n');
  process.exitCode = 1;
}
