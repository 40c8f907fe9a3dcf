// `wrkst open` and `previews`: what a function is now, on a branch, at a commit, and where that is to be seen.

import type { Command } from "commander";
import type { CommitPreview, PreviewEntry } from "../../agent/model.js";
import type { Io } from "../io.js";
import { listPreviews } from "../preview-views.js";
import { type Common, functionPath, openSession, type Session } from "../session.js";
import { says, TEXT } from "../wording.js";
import { addAsking, addOfFunction, type OfFunction, openFunction } from "./command.js";

interface OpenOptions extends OfFunction {
  commit?: string;
  print?: boolean;
}

/** Milliseconds: dependencies may have to be installed first. */
const LONGEST_BUILD = 10 * 60_000;

export function addOpen(program: Command, io: Io): void {
  addOfFunction(program, "open")
    .argument("[function]", TEXT.function)
    .option("--commit <ref>", TEXT.commit)
    .option("--print", TEXT.print)
    .action(async (wanted: string | undefined, { commit, ...options }: OpenOptions) => {
      const session = await openFunction(options, io, wanted, says.nameFunction("open"));
      const { name, client, print } = session;
      const found =
        commit === undefined
          ? { url: (await client.ask<{ url: string }>("GET", functionPath(name))).url }
          : await findCommit(session, name, commit);
      print(found, `${found.url}\n`);
      if (!options.print && !(await io.browse(found.url))) io.err(says.noBrowser());
    });
}

/** What is not there is built; whoever asks for the same meanwhile waits for the same. */
async function findCommit({ client, io, say }: Session, name: string, commit: string): Promise<CommitPreview> {
  const path = functionPath(name, "/previews");
  const body = { commit };
  const timeout = LONGEST_BUILD;
  const found = await client.ask<CommitPreview | { job: string }>("POST", path, { body, timeout });
  if (!("job" in found)) return found;
  const since = io.now();
  say(says.making(name, commit));
  const made = await client.ask<CommitPreview>("POST", `${path}?wait=true`, { body, timeout });
  say(says.made(made.commit, io.now() - since));
  return made;
}

export function addPreviews(program: Command, io: Io): void {
  addAsking(program, "previews")
    .argument("[name]", TEXT.ofPreviews)
    .action(async (name: string | undefined, options: Common) => {
      const { client, print, say } = openSession(options, io);
      const { previews } = await client.ask<{ previews: PreviewEntry[] }>("GET", "/api/v1/previews");
      const found = previews.filter((one) => name === undefined || one.function === name || one.source === name);
      print(found, found.length ? listPreviews(found, { colour: io.colour, now: io.now() }) : "");
      if (!found.length) say(says.noPreviews(name));
    });
  addAsking(program, "previews remove")
    .argument("<function>", TEXT.function)
    .argument("<commit>", TEXT.askedCommit)
    .action(async (name: string, commit: string, options: Common) => {
      const { client, confirm } = openSession(options, io);
      await client.ask("DELETE", functionPath(name, `/previews/${encodeURIComponent(commit)}`));
      confirm({ function: name, commit, removed: true }, says.previewRemoved(name, commit));
    });
}
