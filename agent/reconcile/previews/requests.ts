// Previews of commits that people ask for. What is asked for is a row of the registry before anything is built, so that a restart
// goes on with it; each ends when it was not asked for during PREVIEW_RETENTION. Anonymous requests never come here.
import { WrkstError } from "../../errors.js";
import type { Actor, CommitPreview, Declaration, FunctionRef, PreviewEntry } from "../../model.js";
import { reachableUntil } from "../../route/index.js";
import type { FunctionRecord, PreviewRecord, Registry } from "../../store/index.js";
import { refuseSuspended } from "../../store/index.js";
import { createExpiry } from "../deploys/expiry.js";
import type { CommitPreviews, PreviewJob, PreviewRequest } from "../previews.js";
import { commitUrl, previewEntries } from "./entries.js";
import { isWanted, type Previews } from "./index.js";
import { notDeclared } from "./pass.js";
import type { UrlOf } from "./report.js";

/** What finds and makes the commits of a source. */
type Making = Pick<Previews, "look" | "expectPublished" | "made" | "isMaking" | "drop">;

export interface CommitPreviewsDeps {
  registry: Registry;
  publisher: { publish(): Promise<void> };
  /** Sources that are followed, by name. */
  sources: ReadonlyMap<string, { previews: Making; settings: { account: string } }>;
  /** @throws WrkstError ERR_SUSPENDED */
  refuseSuspended(source: string): void;
  urlOf: UrlOf;
  /** PREVIEW_RETENTION in milliseconds; 0: for ever. */
  retention: number;
  /** Copies of what is gone may go. */
  tend(): void;
  log: { warn(fields: object, message: string): void };
  /** Milliseconds since 1970. */
  now(): number;
}

export interface CommitPreviewsFront extends CommitPreviews {
  /** Ends what is over, now and from now on. */
  look(): void;
  close(): Promise<void>;
}

/** Commits of one source that wait to be made. */
export const MOST_WAITING = 8;
/** Commits of one function that are kept; then those go that were asked for longest ago. */
export const MOST_ASKED = 10;

/** What is asked for: a function as a commit has it. */
interface Wanted {
  record: FunctionRecord;
  source: string;
  previews: Making;
  commit: string;
}

export function createCommitPreviews(deps: CommitPreviewsDeps): CommitPreviewsFront {
  const { registry, sources, urlOf, retention } = deps;
  const expiry = createExpiry(endOver, deps.log, deps.now);

  async function request(of: FunctionRef, { ref, wait, signal }: PreviewRequest, by: Actor) {
    const record = expect(of);
    const source = sourceOf(record);
    refuse(record, source);
    const { previews } = sources.get(source)!;
    const { commit, declaration } = await previews.look(ref, record.name, signal);
    refuseUnwanted(record, declaration, commit);
    const wanted = { record, source, previews, commit };
    const made = deployed(wanted) ?? ofBranch(wanted);
    if (made) return made;
    await previews.expectPublished(commit, signal);
    return ask(wanted, { wait, signal }, by);
  }

  /** Also one that was removed: what it was can be looked at. */
  function expect({ account, name }: FunctionRef): FunctionRecord {
    const found = registry.functionByName(name) ?? registry.removedFunctions().find((one) => one.name === name);
    if (found?.account === account) return found;
    throw new WrkstError("ERR_NOT_FOUND", `there is no function "${name}"`, { hint: "see: wrkst status" });
  }

  /** Of what only a branch has, the branch's. @throws WrkstError ERR_CONFLICT */
  function sourceOf({ id, name, source }: FunctionRecord): string {
    const ofPreview = () =>
      registry.previews.all().find(({ functions }) => functions.some(({ functionId }) => functionId === id))?.source;
    const found = source ?? ofPreview();
    if (found !== undefined && sources.has(found)) return found;
    throw new WrkstError("ERR_CONFLICT", `no source declares the function "${name}", so that it has no commits`, {
      hint: `its versions have addresses: wrkst versions list --name ${name}`,
    });
  }

  function refuse(record: FunctionRecord, source: string): void {
    const { name, state } = record;
    deps.refuseSuspended(source);
    refuseSuspended(record, registry.suspension(record.id));
    if (state !== "quarantined") return;
    throw new WrkstError("ERR_CONFLICT", `the function "${name}" is quarantined`, { hint: `wrkst resume ${name}` });
  }

  /** What serves and the commit itself may each have switched previews off. */
  function refuseUnwanted(record: FunctionRecord, declaration: Declaration | undefined, commit: string): void {
    const { name, latest } = record;
    if (!declaration) throw notDeclared(name, commit);
    const manifest = latest === null ? undefined : registry.version(latest)?.manifest;
    if (isWanted(declaration) && (!manifest || isWanted({ manifest }))) return;
    throw new WrkstError("ERR_CONFLICT", `the function "${name}" wants no previews`, {
      hint: 'see "preview_urls" and "[wrkst] preview" in its wrangler file',
    });
  }

  /** The commit's host leads to what served, for as long as that is to be reached. */
  function deployed({ record, source, commit }: Wanted): CommitPreview | undefined {
    const id = registry.versionAtCommit(record.id, commit);
    const function_ = registry.routeState().functions.find((one) => one.id === record.id);
    const version = function_?.versions.find((one) => one.id === id);
    if (!function_ || !version || id === undefined) return undefined;
    const until = reachableUntil(version, function_, retention);
    if (until <= deps.now()) return undefined;
    const url = commitUrl(urlOf, record.name, commit);
    const expiresAt = Number.isFinite(until) ? until : null;
    return { function: record.name, source, commit, state: "deployed", version: id, url, expiresAt };
  }

  function ofBranch({ record, source, commit }: Wanted): CommitPreview | undefined {
    const found = list(record.name).find(
      (one) => one.source === source && one.branch !== null && one.commit === commit && one.version !== null,
    );
    return found && { ...shown(found), url: commitUrl(urlOf, record.name, commit) };
  }

  async function ask(wanted: Wanted, { wait, signal }: Pick<PreviewRequest, "wait" | "signal">, by: Actor) {
    const { record, source, previews, commit } = wanted;
    const name = record.name;
    refuseTooMany(wanted);
    const message = `a preview of "${name}" at the commit ${commit.slice(0, 12)} was asked for by ${by.name}`;
    const event = { kind: "preview.requested", source, function: name, functionId: record.id, account: record.account };
    const asked = registry.previews.ask({ source, commit, function: name }, [{ ...event, message, actor: by }]);
    await forgetOldest(name);
    expiry.look();
    if (entryOf(asked).state === "ready") return shown(entryOf(asked));
    const making = previews.made(asked);
    if (!wait) return jobOf(asked);
    const made = await Promise.race([making, gone(signal)]);
    if (!made) throw new WrkstError("ERR_SUPERSEDED", "the preview was removed while it was made");
    const entry = entryOf(made);
    if (entry.error) throw new WrkstError(entry.error.code, entry.error.message, entry.error);
    return entry.state === "building" ? jobOf(made) : shown(entry);
  }

  function refuseTooMany({ record, source, commit }: Wanted): void {
    const waiting = registry.previews
      .all(source)
      .filter(({ branch, handled }) => branch === null && handled === "")
      .filter((one) => one.commit !== commit || one.function !== record.name);
    if (waiting.length < MOST_WAITING) return;
    throw new WrkstError("ERR_RATE_LIMITED", `${MOST_WAITING} commits of the source "${source}" wait to be made`, {
      hint: `see: wrkst previews ${source}`,
    });
  }

  async function forgetOldest(name: string): Promise<void> {
    const own = registry.previews.all().filter((one) => one.branch === null && one.function === name);
    const oldest = own.sort((a, b) => (b.askedAt ?? 0) - (a.askedAt ?? 0)).slice(MOST_ASKED);
    const why = `${MOST_ASKED} commits of it are kept`;
    await end(oldest.map((record) => ({ record, why })));
  }

  /** What ends, and why, as a clause. */
  async function end(all: { record: PreviewRecord; why: string; by?: Actor }[]): Promise<void> {
    for (const { record, why, by } of all) {
      const { id, source, function: name, commit } = record;
      const message = `the preview of "${name}" at the commit ${commit.slice(0, 12)} was removed: ${why}`;
      const event = { kind: "preview.removed", source, message, ...(name === null ? {} : { function: name }) };
      registry.previews.remove(id, [{ ...event, ...(by ? { actor: by } : {}) }]);
      sources.get(source)?.previews.drop(id);
    }
    if (!all.length) return;
    await deps.publisher.publish();
    deps.tend();
  }

  /** Answers when the next one ends. */
  async function endOver(): Promise<number | undefined> {
    if (retention === 0) return undefined;
    const now = deps.now();
    const asked = registry.previews.all().filter(({ branch }) => branch === null);
    const endsAt = ({ askedAt, createdAt }: PreviewRecord) => (askedAt ?? createdAt) + retention;
    const over = asked.filter((record) => endsAt(record) <= now);
    await end(over.map((record) => ({ record, why: "nobody asked for it again" })));
    if (registry.previews.forgetPast(now - retention)) await deps.publisher.publish();
    const ends = asked.filter((record) => !over.includes(record)).map(endsAt);
    const next = [...ends, ...registry.previews.past().map(({ endedAt }) => endedAt + retention + 1)];
    return next.length ? Math.min(...next) : undefined;
  }

  function list(name?: string): PreviewEntry[] {
    const entries = entriesOf(registry.previews.all());
    return name === undefined ? entries : entries.filter((one) => one.function === name);
  }

  function entriesOf(records: PreviewRecord[]): PreviewEntry[] {
    return previewEntries({
      ...{ records, past: registry.previews.past(), urlOf, retention },
      nameOf: (id) => registry.functionById(id)?.name,
      isMaking: ({ id, source }) => sources.get(source)?.previews.isMaking(id) === true,
      accountOf: (source) => sources.get(source)?.settings.account ?? "",
    });
  }

  const entryOf = (record: PreviewRecord) => entriesOf([record])[0]!;
  const jobOf = (record: PreviewRecord): PreviewJob => {
    const preview = entryOf(record);
    const state = preview.state === "building" ? "running" : "done";
    return { id: record.id, source: record.source, state, preview };
  };

  return {
    request,
    list,
    async remove(of, prefix, by) {
      const record = expect(of);
      const found = list(record.name).filter(({ commit }) => commit.startsWith(prefix.toLowerCase()));
      const asked = found.filter(({ branch }) => branch === null);
      if (asked.length !== 1) throw notRemovable(record.name, prefix, found);
      const preview = registry.previews.byId(asked[0]!.id)!;
      await end([{ record: preview, why: `${by.name} said so`, by }]);
    },
    job(id) {
      const record = registry.previews.byId(id);
      return record?.branch === null ? jobOf(record) : undefined;
    },
    look: expiry.look,
    close: expiry.close,
  };

  function shown(entry: PreviewEntry): CommitPreview {
    const { function: name, source, commit, expiresAt, version, url } = entry;
    return { function: name, source, commit, state: "ready", version: version ?? "", url: url ?? "", expiresAt };
  }
}

function notRemovable(name: string, prefix: string, found: PreviewEntry[]): WrkstError {
  const asked = found.filter(({ branch }) => branch === null);
  if (asked.length > 1) return new WrkstError("ERR_CONFLICT", `several commits of "${name}" begin with "${prefix}"`);
  const [ofBranch] = found;
  if (!ofBranch) return new WrkstError("ERR_NOT_FOUND", `"${name}" has no preview of the commit "${prefix}"`);
  return new WrkstError("ERR_CONFLICT", `the preview belongs to the branch "${ofBranch.branch}"`, {
    hint: "delete the branch, and it goes",
  });
}

/** Never settles while somebody waits. */
function gone(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    if (signal.aborted) reject(signal.reason);
  });
}
