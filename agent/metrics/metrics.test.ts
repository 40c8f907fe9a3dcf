import assert from "node:assert/strict";
import { test } from "node:test";
import { FORMATS, type Metrics } from "./index.js";
import { openTestMetrics, processCounts } from "./test-metrics.js";

const lines = async (metrics: Metrics) => (await metrics.scrape(FORMATS[0])).text.split("\n");

test("says what runs, how old sources are, and which functions drift", async () => {
  const seen = await lines(openTestMetrics());
  for (const line of [
    'wrkst_build_info{version="1.2.3",node="20.19.0",workerd="1.20261117.1"} 1',
    'wrkst_source_last_fetch_timestamp_seconds{source="default"} 1000',
    'wrkst_source_last_fetch_age_seconds{source="default"} 60',
    'wrkst_source_revision_age_seconds{source="default"} 160',
    'wrkst_drift{reason="pinned"} 1',
    'wrkst_drift{reason="failed"} 0',
    'wrkst_deployments_total{cause="push"} 2',
    'wrkst_runtime_restarts_total{reason="hang"} 1',
    "wrkst_runtime_up 1",
    "wrkst_isolates 2",
  ]) {
    assert.ok(seen.includes(line), line);
  }
});

test("times the phases of what went live, and counts every pass", async () => {
  const metrics = openTestMetrics();
  const report = { source: "default", from: null, to: "main@sha1:1", functions: [], milliseconds: 120 };
  metrics.passed({ ...report, result: "switched", phases: { fetch: 4, bundle: 90 } });
  metrics.passed({ ...report, result: "unchanged", phases: { fetch: 4 } });
  const seen = await lines(metrics);
  for (const line of [
    'wrkst_reconcile_total{source="default",result="switched"} 1',
    'wrkst_reconcile_total{source="default",result="unchanged"} 1',
    'wrkst_push_to_live_seconds_bucket{le="0.005",source="default",phase="fetch"} 1',
    'wrkst_push_to_live_seconds_bucket{le="0.1",source="default",phase="bundle"} 1',
    'wrkst_push_to_live_seconds_count{source="default",phase="fetch"} 1',
    'wrkst_push_to_live_seconds_sum{source="default",phase="total"} 0.12',
  ]) {
    assert.ok(seen.includes(line), line);
  }
});

test("counts requests over processes that end and others that begin, and never goes back", async () => {
  let processes = [processCounts({ functions: { hello: [0, 5, 0, 0, 1] }, buckets: [6], milliseconds: 3 })];
  const metrics = openTestMetrics({ counts: async () => processes });
  const first = await lines(metrics);
  for (const line of [
    'wrkst_function_requests_total{function="hello",status="2xx"} 5',
    'wrkst_function_requests_total{function="hello",status="5xx"} 1',
    'wrkst_function_request_seconds_bucket{le="0.001"} 6',
    "wrkst_function_request_seconds_sum 0.003",
    "wrkst_function_cold_loads_total 3",
    "wrkst_isolate_evictions_total 1",
    "wrkst_isolates 2",
  ]) {
    assert.ok(first.includes(line), line);
  }
  processes = [
    processCounts({ process: "second", functions: { hello: [0, 2, 0, 0, 0] }, coldLoads: 1, evictions: 0 }),
    processCounts({ process: "ward", functions: { hello: [0, 1, 0, 0, 0], gone: [0, 9, 0, 0, 0] } }),
  ];
  await metrics.look();
  const second = await lines(metrics);
  assert.ok(second.includes('wrkst_function_requests_total{function="hello",status="2xx"} 8'));
  assert.ok(second.includes("wrkst_function_cold_loads_total 7"));
  assert.ok(second.includes("wrkst_isolates 4"));
  assert.ok(!second.some((line) => line.includes("gone")));
});

test("sums what happened in all databases, without naming one", async () => {
  const metrics = openTestMetrics();
  const buckets = [3, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
  const one = { queries: 6, writes: 0, errors: 1, rowsRead: 0, rowsWritten: 0, size: 0, slowest: [] };
  const stats = { ...one, buckets, milliseconds: 7_000 };
  metrics.queried({ objects: { "a.1": stats, "b.1": stats } });
  const seen = await lines(metrics);
  for (const line of [
    "wrkst_d1_queries_total 12",
    "wrkst_d1_query_errors_total 2",
    'wrkst_d1_query_seconds_bucket{le="0.001"} 6',
    'wrkst_d1_query_seconds_bucket{le="0.005"} 8',
    'wrkst_d1_query_seconds_bucket{le="5"} 8',
    'wrkst_d1_query_seconds_bucket{le="+Inf"} 10',
    "wrkst_d1_query_seconds_sum 14",
    "wrkst_d1_query_seconds_count 10",
  ]) {
    assert.ok(seen.includes(line), line);
  }
});

test("answers without a runtime that hangs or refuses, and asks it once for all who wait", async () => {
  let asked = 0;
  const hung = openTestMetrics({
    patience: 1,
    counts: () => {
      asked++;
      return new Promise(() => undefined);
    },
  });
  for (const seen of await Promise.all([lines(hung), lines(hung)])) {
    assert.ok(seen.includes("wrkst_runtime_up 0"));
    assert.ok(!seen.some((line) => line.startsWith("wrkst_isolates ")));
  }
  assert.equal(asked, 1);
  const refusing = openTestMetrics({ counts: () => Promise.reject(new Error("gone")) });
  assert.ok((await lines(refusing)).includes("wrkst_runtime_up 0"));
});

test("speaks OpenMetrics to who asks for it, and the older format to the next one", async () => {
  const metrics = openTestMetrics();
  const open = await metrics.scrape(FORMATS[1]);
  assert.match(open.contentType, /^application\/openmetrics-text; version=1\.0\.0/);
  assert.match(open.text, /^# TYPE wrkst_d1_queries counter$/m);
  assert.match(open.text, /^wrkst_d1_queries_total 0$/m);
  assert.match(open.text, /# EOF\n$/);
  const plain = await metrics.scrape(FORMATS[0]);
  assert.match(plain.contentType, /^text\/plain; version=0\.0\.4/);
  assert.match(plain.text, /^# TYPE wrkst_d1_queries_total counter$/m);
});
