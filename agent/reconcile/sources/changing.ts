// Adds, edits and removes sources while others go on. Nothing is kept before the repository was asked; what is kept is in one
// transaction of the registry, and the loop follows it.
import { reportOf, WrkstError } from "../../errors.js";
import type { Actor, SourceCredentials, SourceDetail, SourceSettings } from "../../model.js";
import type { Sealing } from "../../secrets/sealing.js";
import type { FunctionChange, FunctionRecord, Registry } from "../../store/index.js";
import type { Sources } from "../sources.js";
import type { Turns } from "../turns.js";
import { type ClearCredentials, mergeCredentials, openCredentials, sealCredentials } from "./credentials.js";
import type { Following } from "./following.js";
import { refuseEdit, refuseRemoval } from "./of-environment.js";
import type { Roster } from "./roster.js";
import { checkSettings, checkSourceName } from "./settings.js";

export interface ChangingDeps {
  registry: Registry;
  sealing: Sealing;
  roster: Roster;
  /** Of one source after the other. */
  turns: Turns;
  publisher: { publish(): Promise<void> };
  open(name: string, settings: SourceSettings, credentials: ClearCredentials): Promise<Following>;
  detailOf(following: Following): SourceDetail;
  /** Aborted when the agent stops. */
  signal: AbortSignal;
}

export function createChanging(deps: ChangingDeps): Pick<Sources, "add" | "edit" | "remove"> {
  const { registry, sealing, roster, turns } = deps;

  /** Asks the repository, so that what is wrong is told before anything is kept. `missing`: what it follows is not there yet. */
  async function openLooked(
    name: string,
    settings: SourceSettings,
    credentials: ClearCredentials,
  ): Promise<{ following: Following; missing?: WrkstError }> {
    const following = await deps.open(name, settings, credentials);
    try {
      await following.verifying?.requireTools(deps.signal);
      await following.source.look(deps.signal);
    } catch (error) {
      // A repository without the branch is there: it may come.
      if (error instanceof WrkstError && error.code === "ERR_GIT_NO_BRANCH") return { following, missing: error };
      await following.close();
      throw error;
    }
    return { following };
  }

  function keep(following: Following, credentials: ClearCredentials): SourceDetail {
    const { name, settings } = following;
    registry.saveSource({ name, settings, credentials: sealCredentials(sealing, name, credentials) });
    roster.all.set(name, following);
    void roster.begin(following);
    wakePreviews(settings.repo, following);
    return deps.detailOf(following);
  }

  /** A branch that is followed is previewed no longer, one that is followed no longer may be. */
  function wakePreviews(repo: string, but?: Following): void {
    for (const one of roster.ofRepository(repo)) if (one !== but) one.previews.wake();
  }

  async function add(name: string, raw: SourceSettings, given: SourceCredentials, by: Actor): Promise<SourceDetail> {
    checkSourceName(name);
    const settings = checkSettings(raw);
    return turns.of(name, async () => {
      if (roster.all.has(name)) throw new WrkstError("ERR_CONFLICT", `there is a source "${name}" already`);
      const credentials = mergeCredentials({}, given);
      const { following, missing } = await openLooked(name, settings, credentials);
      const detail = keep(following, credentials);
      roster.note(name, { kind: "source.added", message: `the source "${name}" was added by ${by.name}`, actor: by });
      return withMissing(detail, missing);
    });
  }

  async function edit(name: string, changes: Partial<SourceSettings>, given: SourceCredentials, by: Actor) {
    return turns.of(name, async () => {
      const before = roster.expectAdded(name, ({ settings: { repo } }) =>
        refuseEdit(name, repo, { ...changes, ...given }),
      );
      const settings = checkSettings({ ...before.settings, ...changes });
      if (settings.account !== before.settings.account) throw fixedAccount();
      const sealed = registry.source(name)?.credentials ?? {};
      // What is set anew need not be readable: its key may be lost.
      const kept = Object.fromEntries(Object.entries(sealed).filter(([key]) => !Object.hasOwn(given, key)));
      const credentials = mergeCredentials(openCredentials(sealing, name, kept), given);
      const { following: after, missing } = await openLooked(name, settings, credentials);
      await before.close();
      if (after.settings.repo !== before.settings.repo) await before.removeFiles();
      const detail = keep(after, credentials);
      if (after.settings.repo !== before.settings.repo) wakePreviews(before.settings.repo);
      const changed = [...Object.keys(changes), ...(Object.keys(given).length ? ["credentials"] : [])].join(", ");
      const message = `the source "${name}" was edited by ${by.name}: ${changed || "nothing"}`;
      roster.note(name, { kind: "source.edited", message, actor: by });
      return withMissing(detail, missing);
    });
  }

  async function remove(name: string, { keepFunctions }: { keepFunctions: boolean }, by: Actor): Promise<void> {
    await turns.of(name, async () => {
      const following = roster.expectAdded(name, () => refuseRemoval(name));
      await following.close();
      const { account, repo } = following.settings;
      for (const { id } of registry.previews.all(name)) registry.previews.remove(id, []);
      const own = registry.functions().filter(({ source }) => source === name);
      const holds = registry.holdsOnGit();
      const isHeld = ({ id }: FunctionRecord) => (holds.get(id)?.kind ?? "rollback") !== "rollback";
      const stays = (record: FunctionRecord) => record.latest !== null && (keepFunctions || isHeld(record));
      const functions = own.map((record) => (stays(record) ? orphaned(record) : removal(record)));
      const kept = own.filter(stays).length;
      const message = `the source "${name}" was removed by ${by.name}: ${own.length - kept} functions removed, ${kept} kept`;
      roster.note(name, { kind: "source.removed", message, actor: by });
      registry.applySwitch({ cause: "removal", author: by.name, by, account, functions, forgets: name });
      roster.all.delete(name);
      await following.removeFiles();
      await deps.publisher.publish();
      wakePreviews(repo);
      roster.wakeClaimants(own.map((record) => record.name));
    });
  }

  return { add, edit, remove };
}

/** Told at once, before the first pass finds it too. */
function withMissing(detail: SourceDetail, missing: WrkstError | undefined): SourceDetail {
  return missing ? { ...detail, error: reportOf(missing) } : detail;
}

/** Nobody's from now on: it serves what it serves. */
function orphaned({ account, name, state, error }: FunctionRecord): FunctionChange {
  const isBlocked = state === "quarantined";
  return {
    ...{ account, name, source: null, folder: null, state: isBlocked ? state : "ready" },
    ...(isBlocked && error ? { error } : {}),
  };
}

function removal({ account, name, source, folder }: FunctionRecord): FunctionChange {
  return { account, name, source, folder, state: "removed" };
}

function fixedAccount(): WrkstError {
  return new WrkstError("ERR_INVALID", "the account of a source cannot be changed", {
    hint: "remove the source and add it again",
  });
}
