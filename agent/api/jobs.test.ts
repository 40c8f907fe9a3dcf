import assert from "node:assert/strict";
import { test } from "node:test";
import { createJobs } from "./jobs.js";

const never = new AbortController().signal;

test("answers before the work is done once its patience is over, and with the outcome after", async () => {
  const jobs = createJobs({ patience: 1 });
  let finish: (value: string) => void = () => undefined;
  const job = jobs.start("ann", () => new Promise<string>((resolve) => (finish = resolve)));
  assert.equal((await jobs.settled(job, never)).outcome, undefined);
  finish("done");
  await new Promise(setImmediate);
  assert.deepEqual(jobs.find("ann", job.id).outcome, { value: "done" });
  assert.throws(() => jobs.find("ben", job.id), { code: "ERR_NOT_FOUND" });
});

test("keeps a failure for whoever asks, and waits for nobody who is gone", async () => {
  const jobs = createJobs();
  const failing = jobs.start("ann", () => Promise.reject(new Error("no")));
  assert.deepEqual((await jobs.settled(failing, never)).outcome, { error: new Error("no") });
  const endless = jobs.start("ann", () => new Promise(() => undefined));
  assert.equal((await jobs.settled(endless, AbortSignal.abort())).outcome, undefined);
});

test("runs few at once for one owner", () => {
  const jobs = createJobs();
  const begin = (owner: string) => jobs.start(owner, () => new Promise(() => undefined));
  for (let i = 0; i < 4; i++) begin("ann");
  assert.throws(() => begin("ann"), { code: "ERR_RATE_LIMITED" });
  begin("ben");
});
