// Which objects refuse calls. Lives in this module, as long as the process: nothing is written, so that a file says nothing of it.
// A restart forgets it, after which the agent has said by the configuration what is paused, and only the newest names are known.

/** Nobody is answered any more. */
const retired = new Set<string>();
/** Functions are refused for now, the agent is not. */
const paused = new Set<string>();

const RETIRED = "the database is another one now: this is what it was before a restore";
const PAUSED = "the database is closed, since it was removed or is being imported into: try again later";

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
