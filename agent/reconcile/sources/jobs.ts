// Syncs that nobody waits for, for a while. In memory only.
import { randomUUID } from "node:crypto";
import type { PassReport } from "../../model.js";
import type { Job } from "../platform.js";

export interface Jobs {
  /** The job that will have the report. */
  begin(source: string, pass: Promise<PassReport>): Job;
  find(id: string): Job | undefined;
}

const KEPT = 200;

export function createJobs(): Jobs {
  const jobs = new Map<string, Job>();
  return {
    find: (id) => jobs.get(id),
    begin(source, pass) {
      const job: Job = { id: randomUUID(), source, state: "running" };
      jobs.set(job.id, job);
      for (const id of jobs.keys()) if (jobs.size > KEPT) jobs.delete(id);
      void pass.then((report) => Object.assign(job, { state: "done", report })).catch(() => jobs.delete(job.id));
      return job;
    },
  };
}
