import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { METRICS } from "./catalogue.js";
import { FORMATS } from "./index.js";
import { openTestMetrics } from "./test-metrics.js";

const page = readFileSync(new URL("../../../docs/metrics.md", import.meta.url), "utf8");

/** Rows of the table: `name type label,label`. */
const documented = [...page.matchAll(/^\| `(wrkst_\w+)` \| (\w+) \|([^|]*)\|/gm)]
  .map(([, name, type, labels = ""]) => `${name} ${type} ${[...labels.matchAll(/\w+/g)].join(",")}`.trim())
  .sort();

test("documents every metric with its type and labels, and none that is not there", () => {
  const defined = Object.values(METRICS).map(({ name, type, labels }) => `${name} ${type} ${labels.join(",")}`.trim());
  assert.deepEqual(documented, defined.sort());
});

test("answers every metric that is documented, and none that is not, all under our name", async () => {
  const { text } = await openTestMetrics().scrape(FORMATS[0]);
  const exposed = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => `${name} ${type}`).sort();
  assert.deepEqual(
    exposed,
    documented.map((row) => row.split(" ").slice(0, 2).join(" ")),
  );
});

test("names in alerts and queries are names of metrics", () => {
  const names = new Set(documented.map((row) => row.split(" ")[0]));
  for (const [name] of page.matchAll(/wrkst_\w+/g)) assert.ok(names.has(name.replace(/_bucket$/, "")), name);
});
