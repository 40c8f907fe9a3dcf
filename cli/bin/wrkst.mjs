#!/usr/bin/env node
// Starts the built command. Stands apart so that the link to it exists before the first build.
try {
  await import("../dist/wrkst.mjs");
} catch (error) {
  if (error?.code !== "ERR_MODULE_NOT_FOUND" || !String(error.message).includes("dist")) throw error;
  process.stderr.write('wrkst: error: the command is not built yet\nwrkst: hint: run "npm run build"\n');
  process.exitCode = 1;
}
