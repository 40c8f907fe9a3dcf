import { type TestContext, test } from "node:test";
import { openRegistry } from "./registry.js";
import { newRegistry, push } from "./test-registry.js";

const FUNCTIONS = 1000;
const RUNS = 9;

/** The median of some runs, as a line of the test's report: figures are for reading, not for failing. */
function report(t: TestContext, name: string, work: (run: number) => void, runs = RUNS): void {
  const times = Array.from({ length: runs }, (_, run) => {
    const start = performance.now();
    work(run);
    return performance.now() - start;
  });
  times.sort((a, b) => a - b);
  t.diagnostic(`${name}: ${times[Math.floor(runs / 2)]?.toFixed(1)} ms`);
}

function builds(label: string) {
  return Array.from({ length: FUNCTIONS }, (_, n) => ({
    function: `f${n}`,
    environment: "",
    treeId: `tree ${n}`,
    bundler: "esbuild@1",
    inputs: { folder: "", files: { "shared.ts": "b" }, folders: { "": "c" } },
    versionId: `f${n}@${label}`,
  }));
}

test(`${FUNCTIONS} functions (reported)`, (t) => {
  const { registry, file, clock } = newRegistry(t);
  const all = (label: string) => Object.fromEntries(Array.from({ length: FUNCTIONS }, (_, n) => [`f${n}`, label]));
  report(t, "first switch of all", () => push(registry, "a", all("1"), { builds: builds("1") }), 1);
  report(t, "switch of one", (run) => push(registry, `b${run}`, { f7: `b${run}` }));
  report(t, "switch of all", (run) => push(registry, `c${run}`, all(`c${run}`), { builds: builds(`c${run}`) }), 3);
  report(t, "route state, first", () => registry.routeState(), 1);
  report(t, "route state, nothing changed", () => registry.routeState());
  report(t, "switch of one and route state", (run) => {
    push(registry, `d${run}`, { f7: `d${run}` });
    registry.routeState();
  });
  report(t, "functions", () => registry.functions());
  const ids = registry.functions().map(({ id }) => id);
  report(t, "builds of each", () => {
    for (const [n, id] of ids.entries()) registry.builds(id, `tree ${n}`, "");
  });
  report(t, "last builds", () => registry.lastBuilds());
  report(t, "garbage collection", () => registry.removeExpired(clock.now, 1), 3);
  registry.close();
  report(t, "open", () => openRegistry(file).close());
});
