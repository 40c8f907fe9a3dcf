// npm start: build, then become the agent, in one process so that signals reach it.
import { build } from "./build.mjs";

if (process.stdout.isTTY) process.stderr.write("building…\n");
await build();
await import("../dist/agent/main.js");
