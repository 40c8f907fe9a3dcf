// Who may start a git process that talks to a remote: so many at once, and who waits the longest goes first. Pure but for the clock.

/** Why a remote is asked: because somebody waits for it, by the clock, or for previews. */
export type Rank = "asked" | "followed" | "preview";

export interface GitSlots {
  /**
   * Waits for a place, does the work in it and gives it back.
   * @param host those of one host never have all places, so that one that hangs stops no other
   * @throws the signal's reason when it is aborted while waiting; what the work throws
   */
  run<T>(place: { rank: Rank; host: string; signal: AbortSignal }, work: () => Promise<T>): Promise<T>;
}

export interface SlotsOptions {
  /** Processes at once, and of those to one host. */
  limit?: number;
  perHost?: number;
  /** Further ones for which somebody waits. */
  reserved?: number;
  /** Milliseconds after which work counts no longer, so that it keeps nobody waiting. */
  patience?: number;
  now?: () => number;
}

interface Waiter {
  rank: Rank;
  host: string;
  /** The lowest goes first. */
  due: number;
  enter(leave: () => void): void;
}

/** Milliseconds by which one goes before, or after, who came at the same time: nobody waits for ever. */
const AHEAD: Record<Rank, number> = { asked: -600_000, followed: 0, preview: 60_000 };

export function createGitSlots(options: SlotsOptions = {}): GitSlots {
  const { limit = 12, perHost = 8, reserved = 2, patience = 30_000, now = () => performance.now() } = options;
  const waiting: Waiter[] = [];
  const busy = new Map<string, number>();
  let inside = 0;

  const hasPlace = ({ rank, host }: Waiter) => {
    const more = rank === "asked" ? reserved : 0;
    return inside < limit + more && (busy.get(host) ?? 0) < perHost + more;
  };

  function admit(): void {
    for (let index = 0; index < waiting.length; index++) {
      const waiter = waiting[index]!;
      if (!hasPlace(waiter)) continue;
      waiting.splice(index--, 1);
      count(waiter.host, 1);
      waiter.enter(leaving(waiter.host));
    }
  }

  function count(host: string, change: 1 | -1): void {
    inside += change;
    const left = (busy.get(host) ?? 0) + change;
    if (left > 0) busy.set(host, left);
    else busy.delete(host);
  }

  function leaving(host: string): () => void {
    const leave = () => {
      clearTimeout(timer);
      if (left) return;
      left = true;
      count(host, -1);
      admit();
    };
    let left = false;
    const timer = setTimeout(leave, patience);
    timer.unref();
    return leave;
  }

  function enter({ rank, host, signal }: Parameters<GitSlots["run"]>[0]): Promise<() => void> {
    signal.throwIfAborted();
    return new Promise((resolve, reject) => {
      const giveUp = () => {
        waiting.splice(waiting.indexOf(waiter), 1);
        reject(signal.reason);
      };
      const waiter: Waiter = {
        ...{ rank, host, due: now() + AHEAD[rank] },
        enter(leave) {
          signal.removeEventListener("abort", giveUp);
          resolve(leave);
        },
      };
      signal.addEventListener("abort", giveUp, { once: true });
      const behind = waiting.findIndex(({ due }) => due > waiter.due);
      waiting.splice(behind < 0 ? waiting.length : behind, 0, waiter);
      admit();
    });
  }

  return {
    async run(place, work) {
      const leave = await enter(place);
      try {
        return await work();
      } finally {
        leave();
      }
    },
  };
}
