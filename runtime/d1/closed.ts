// Which objects refuse calls. Lives in this module, as long as the process: nothing is written, so that a file says nothing of it
// and a restart, after which only the newest names are known, forgets it.

/** Nobody is answered any more. */
const retired = new Set<string>();
/** Functions are refused for now, the agent is not. */
const paused = new Set<string>();

const RETIRED = "the database is another one now: this is what it was before a restore";
const PAUSED = "the database is being imported into: try again later";

/** `name`: of the object. */
export const closed = {
  retire: (name: string) => void retired.add(name),
  pause: (name: string, on: boolean) => void (on ? paused.add(name) : paused.delete(name)),
  /** Why who calls is refused; undefined: nothing is. */
  reasonFor(name: string, isAgent: boolean): string | undefined {
    if (retired.has(name)) return RETIRED;
    return paused.has(name) && !isAgent ? PAUSED : undefined;
  },
};
