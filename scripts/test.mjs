// Runs the built test files under the folders named (default: all), or the files named; those of
// e2e/long only with WRKST_TEST_LONG. Node 20 has no glob for --test.
import { spawn } from "node:child_process";
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";

function testsUnder(path) {
  const target = path.startsWith("dist") ? path : join("dist", path.replace(/\.ts$/, ".js"));
  if (!statSync(target, { throwIfNoEntry: false })) return [];
  if (statSync(target).isFile()) return [target];
  return readdirSync(target, { recursive: true })
    .map((file) => join(target, String(file)))
    .filter((file) => file.endsWith(".test.js") && !file.includes("node_modules"))
    .filter((file) => process.env.WRKST_TEST_LONG || !file.includes(join("e2e", "long")));
}

const args = process.argv.slice(2);
const options = args.filter((arg) => arg.startsWith("--"));
const names = args.filter((arg) => !arg.startsWith("--"));
const files = (names.length ? names : ["agent", "runtime", "cli", "d1", "e2e"]).flatMap(testsUnder).sort();
if (!files.length) {
  console.error(`no test files under ${names.join(", ")}: run "npm run build" first`);
  process.exit(1);
}
// What failed is told once more at the end, where it is found.
const reporter = options.some((option) => option.startsWith("--test-reporter")) ? [] : ["--test-reporter=spec"];
const child = spawn(
  process.execPath,
  ["--enable-source-maps", "--test", "--test-concurrency=3", ...reporter, ...options, ...files],
  { stdio: "inherit" },
);
child.on("exit", (code, signal) => process.exit(signal ? 1 : code));
