import assert from "node:assert/strict";
import { test } from "node:test";
import { WrkstError } from "../errors.js";
import { outcomeOf, outcomeOfError, waitAfter } from "./outcome.js";

const NOW = Date.parse("2026-01-01T00:00:00Z");
const of = (status: number, headers: Record<string, string> = {}) => outcomeOf({ status, headers, text: "" }, NOW);

test("tries again after what passes, and after nothing else", () => {
  const kinds = (...statuses: number[]) => statuses.map((status) => of(status).kind);
  assert.deepEqual(kinds(200, 201, 204), ["sent", "sent", "sent"]);
  assert.deepEqual(kinds(408, 429, 500, 503), ["again", "again", "again", "again"]);
  assert.deepEqual(kinds(301, 307, 400, 401, 403, 404, 410, 422), Array(8).fill("refused"));
});

test("waits as long as the receiver asks for: seconds, a date, or the rate of GitHub", () => {
  const after = (status: number, headers: Record<string, string>) => (of(status, headers) as { after?: number }).after;
  assert.equal(after(503, { "retry-after": "90" }), 90_000);
  assert.equal(after(429, { "retry-after": "Thu, 01 Jan 2026 00:01:00 GMT" }), 60_000);
  assert.equal(after(403, { "x-ratelimit-remaining": "0", "x-ratelimit-reset": String(NOW / 1000 + 30) }), 30_000);
  assert.equal(after(503, { "retry-after": "soon" }), undefined);
});

test("waits longer each time, with jitter, an hour at most unless it is asked for more, a day in any case", () => {
  assert.deepEqual(
    [1, 2, 3, 30].map((attempts) => waitAfter(attempts, 0.5, undefined)),
    [5_000, 10_000, 20_000, 3_600_000],
  );
  assert.deepEqual([waitAfter(1, 0, undefined), waitAfter(1, 1, undefined)], [3_750, 6_250]);
  assert.equal(waitAfter(1, 0.5, 90_000), 90_000);
  assert.equal(waitAfter(1, 0.5, 9e12), 86_400_000);
});

test("takes an address that may not be asked for final, and one that does not answer for passing", () => {
  assert.equal(outcomeOfError(new WrkstError("ERR_INVALID", "not public")).kind, "refused");
  const error = Object.assign(new Error("connect ECONNREFUSED 10.0.0.1:443"), { code: "ECONNREFUSED" });
  assert.deepEqual(outcomeOfError(error), { kind: "again", message: "it cannot be reached: ECONNREFUSED" });
});
