import assert from "node:assert/strict";
import { test } from "node:test";
import { viewDiff } from "./diff.js";
import { viewReport, viewStatus } from "./views.js";

const signedBy = { what: "commit", kind: "ssh", name: "ana\u001b[2J@example.com", fingerprint: "SHA256:abc" } as const;
const revision = `main@sha1:${"a".repeat(40)}`;
const line = "signed by ana[2J@example.com (SSH key SHA256:abc)";

test("status and sync say who signed what serves, and let no name write to the terminal", () => {
  const source = { name: "default", repo: "embedded", branch: "main", path: "", revision, state: "ready" } as const;
  const runtime = { state: "running", pid: 1, restarts: 0, isolates: 0 } as const;
  const status = { sources: [{ ...source, lastFetch: null, signedBy }], functions: [], drift: {}, runtime };
  const shown = viewStatus(status, { colour: false, now: 0 });
  assert.ok(
    shown.split("\n").some((each) => each.trim() === line),
    shown,
  );
  const report = { from: null, to: revision, result: "switched", functions: [], phases: {}, milliseconds: 1 } as const;
  const told = viewReport({ source: "default", ...report, functions: [], signedBy });
  assert.ok(
    told.split("\n").some((each) => each.trim() === line),
    told,
  );
});

test("what is not known is left out: the size of what was never built, the revision of a pass that found none", () => {
  const made = { name: "solo", folder: "solo", change: "create", size: { from: null, to: null } } as const;
  const same = { configuration: [], bindings: { added: [], removed: [], changed: [] }, migrations: [] };
  const diff = { source: "default", from: revision, to: revision, isChange: true };
  assert.equal(
    viewDiff({ ...diff, functions: [{ ...made, ...same }] }),
    "aaaaaaa → aaaaaaa: 1 differs, 0 unchanged\ncreate solo\n",
  );
  const failed = { from: null, to: null, result: "failed", functions: [], phases: {}, milliseconds: 1 } as const;
  assert.equal(viewReport({ source: "default", ...failed, functions: [] }), 'source "default": failed\n');
});
