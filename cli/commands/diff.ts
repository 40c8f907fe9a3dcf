// `wrkst diff`: what a revision would change, with an exit code for CI: 0 nothing, 2 something, 1 where it would fail.

import type { Command } from "commander";
import type { RevisionDiff } from "../../agent/model.js";
import { viewDiff } from "../diff.js";
import { Failure, Verdict } from "../failure.js";
import type { Io } from "../io.js";
import { type Common, openSession } from "../session.js";
import { says, TEXT } from "../wording.js";
import { addAsking } from "./command.js";

/** The repository may have to be asked first. */
const LONGEST = 5 * 60_000;

export function addDiff(program: Command, io: Io): void {
  addAsking(program, "diff")
    .argument("[ref]", TEXT.ref)
    .option("--source <name>", TEXT.diffSource, "default")
    .action(async (ref: string | undefined, { source, ...options }: Common & { source: string }) => {
      const { client, print } = openSession(options, io);
      const query = ref === undefined ? "" : `?${new URLSearchParams({ ref })}`;
      const path = `/api/v1/sources/${encodeURIComponent(source)}/diff${query}`;
      const diff = await client.ask<RevisionDiff>("GET", path, { timeout: LONGEST });
      print(diff, viewDiff(diff));
      const failing = diff.functions.filter(({ change }) => change === "fail").map(({ name }) => name);
      if (failing.length) throw new Failure(says.wouldFail(failing));
      if (diff.isChange) throw new Verdict(2);
    });
}
