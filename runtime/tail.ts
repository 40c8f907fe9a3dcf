// Tells the agent what functions say and throw: lines for the stream on the control socket, bounded while nobody reads them.
// A slow reader loses lines, and is told how many; memory it never costs.
import type { Exception, Invocation, TailLine } from "./wire.js";

/** What the router knows of a request that its invocation's trace does not tell. */
interface Timing {
  /** Milliseconds until the function answered. */
  wallTime: number;
}

export interface Tail {
  /** Whether every invocation of the function is told, not only what it throws. */
  hears(function_: string): boolean;
  /** Replaces the functions that are listened to. Answers those for which that is a change. */
  listen(functions: string[]): Set<string>;
  tell(line: TailLine): void;
  /** The request was answered; to be called before the trace of its invocation comes in. */
  answered(request: string, wallTime: number): void;
  /** What happened in an invocation, as it is told. */
  describe(item: TraceItem): Invocation;
  /** The lines from now on, NDJSON, with an empty one now and then. A stream that was opened before ends. */
  open(): { body: ReadableStream; ended: Promise<"gone" | "replaced"> };
}

export interface TailLimits {
  /** Characters that may wait to be read. */
  waiting: number;
  /** Characters of one function in a window of time, so that a loud one leaves room, and the agent's time, for the others. */
  ofOne: number;
}

const LIMITS: TailLimits = { waiting: 8 * 2 ** 20, ofOne: 2 * 2 ** 20 };
/** Milliseconds. */
const WINDOW = 1000;
const MAX_TIMINGS = 1000;
/** Milliseconds between the empty lines: without them nobody would notice that the reader is gone. */
const HEARTBEAT = 1000;

export function createTail(limits: TailLimits = LIMITS): Tail {
  let heard = new Set<string>();
  const timings = new Map<string, Timing>();
  let queue = createQueue(limits);
  let isOpen = false;
  let close = () => {};
  let wake = () => {};

  /** Settles when something waits to be read, or after a while. Whoever tells does so in another request's context: the
   * wait is this one's own, and has an end of its own. */
  async function somethingTold(): Promise<void> {
    if (!queue.isEmpty) return;
    const told = new Promise<void>((resolve) => {
      wake = resolve;
    });
    await Promise.race([told, scheduler.wait(HEARTBEAT)]);
  }

  return {
    hears: (name) => heard.has(name),
    listen(functions) {
      const wanted = new Set(functions);
      const changed = new Set([...heard, ...wanted].filter((name) => heard.has(name) !== wanted.has(name)));
      heard = wanted;
      return changed;
    },
    tell(line) {
      if (!isOpen) return;
      queue.add(line);
      wake();
    },
    answered(request, wallTime) {
      if (timings.size >= MAX_TIMINGS) timings.delete(timings.keys().next().value!);
      timings.set(request, { wallTime });
    },
    describe(item) {
      const invocation = invocationOf(item);
      const timing = invocation.request && timings.get(invocation.request);
      if (!invocation.request || !timing) return invocation;
      timings.delete(invocation.request);
      return { ...invocation, ...timing };
    },
    open() {
      close();
      queue = createQueue(limits);
      isOpen = true;
      const encoder = new TextEncoder();
      let end: "gone" | "replaced" | undefined;
      let resolveEnd = (_end: "gone" | "replaced") => {};
      const ended = new Promise<"gone" | "replaced">((resolve) => {
        resolveEnd = resolve;
      });
      close = () => {
        if (end) return;
        end = "replaced";
        wake();
        resolveEnd(end);
      };
      const cancel = () => {
        if (end) return;
        end = "gone";
        isOpen = false;
        resolveEnd(end);
      };
      const pull = async (controller: ReadableStreamDefaultController) => {
        await somethingTold();
        if (end) controller.close();
        else controller.enqueue(encoder.encode(queue.isEmpty ? "\n" : queue.take()));
      };
      return { body: new ReadableStream({ pull, cancel }, { highWaterMark: 0 }), ended };
    },
  };
}

/** Lines that wait, oldest first. What was lost is told when its window is over. */
function createQueue({ waiting, ofOne }: TailLimits) {
  let lines: string[] = [];
  let size = 0;
  let windowStart = Date.now();
  const sizes = new Map<string, number>();
  const lost = new Map<string, number>();

  function turnWindow(): void {
    if (Date.now() - windowStart < WINDOW) return;
    windowStart = Date.now();
    for (const [name, count] of lost) {
      lines.push(JSON.stringify({ kind: "lost", function: name, count } satisfies TailLine));
    }
    sizes.clear();
    lost.clear();
  }

  return {
    get isEmpty() {
      turnWindow();
      return lines.length === 0;
    },
    add(line: TailLine) {
      turnWindow();
      const text = JSON.stringify(line);
      const own = (sizes.get(line.function) ?? 0) + text.length;
      if (size + text.length > waiting || own > ofOne) {
        lost.set(line.function, (lost.get(line.function) ?? 0) + 1);
        return;
      }
      size += text.length;
      sizes.set(line.function, own);
      lines.push(text);
    },
    take(): string {
      const text = `${lines.join("\n")}\n`;
      lines = [];
      size = 0;
      return text;
    },
  };
}

/** workerd itself hides credentials in the headers and what looks like one in the URL, and cuts long logs. */
function invocationOf(item: TraceItem): Invocation {
  const event = item.event as Partial<TraceItemFetchEventInfo> | null;
  const { request, response } = event ?? {};
  const id = request?.headers["x-request-id"];
  return {
    outcome: item.outcome,
    at: item.eventTimestamp ?? Date.now(),
    logs: item.logs.map(({ level, timestamp, message }) => ({ level, timestamp, message: message as unknown[] })),
    exceptions: item.exceptions.map(exceptionOf),
    event: request
      ? {
          request: { url: request.url, method: request.method, headers: { ...request.headers }, cf: request.cf ?? {} },
          ...(response ? { response: { status: response.status } } : {}),
        }
      : null,
    ...(item.truncated ? { truncated: true } : {}),
    ...(id === undefined ? {} : { request: id }),
  };
}

function exceptionOf({ name, message, timestamp, stack }: TraceException): Exception {
  return { name, message, timestamp, ...(stack === undefined ? {} : { stack }) };
}
