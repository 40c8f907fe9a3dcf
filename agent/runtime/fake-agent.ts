// For lock.test.ts: an agent that takes the data folder, starts a runtime, tells its pid and then waits to be killed.
import { lockDataDir } from "./lock.js";
import { openRunFolder } from "./run-folder.js";
import { openRuntime } from "./runtime.js";
import { recordLog, routerConfig } from "./testing.js";

const dataDir = process.argv[2]!;
await lockDataDir(dataDir);
const runDir = await openRunFolder(dataDir);
const runtime = openRuntime({
  dataDir,
  runDir,
  writeConfig: async () => routerConfig({ runDir }),
  beforeStart: async () => {},
  hangTimeout: 3_000,
  memoryLimit: Number.POSITIVE_INFINITY,
  log: recordLog(),
  onEvent: () => {},
});
await runtime.start();
console.log(runtime.status().pid);
