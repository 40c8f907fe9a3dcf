// Hears what functions say from one life of the runtime to the next. A line is asked for when the one before was dealt with,
// so that whoever is slow slows the stream down, and the router leaves out what it cannot hold.
import type { IncomingMessage } from "node:http";
import { StringDecoder } from "node:string_decoder";
import type { TailLine } from "../../runtime/wire.js";
import type { Control } from "./control.js";
import type { Log } from "./runtime-log.js";

export interface Hearing {
  /** A runtime has begun: opens the stream of it. Resolves when it is open, or cannot be. Never rejects. */
  attach(control: Pick<Control, "tail" | "listen">): Promise<void>;
  /** The runtime is gone. */
  detach(): void;
  /** From now on these are listened to. Resolves when the runtime knows, or is not there to be told. Never rejects. */
  listen(functions: string[]): Promise<void>;
}

/** The router bounds what a line can be; what is longer is dropped. */
const MAX_LINE = 4 * 2 ** 20;
/** Milliseconds until a stream that broke is opened again. */
const PAUSE = 1000;

export function createHearing(options: { onLine(line: TailLine): Promise<void>; log: Log }): Hearing {
  let wanted: string[] = [];
  let control: Pick<Control, "tail" | "listen"> | undefined;
  let stream: IncomingMessage | undefined;
  let opening: Promise<void> = Promise.resolve();

  const failed = (error: unknown) => options.log.debug({ err: error }, "what functions say cannot be heard");

  async function open(mine: Pick<Control, "tail" | "listen">): Promise<void> {
    try {
      const incoming = await mine.tail(wanted);
      if (control === mine) stream = incoming;
      else incoming.destroy();
      void follow(mine, incoming);
    } catch (error) {
      failed(error);
      again(mine);
    }
  }

  async function follow(mine: Pick<Control, "tail" | "listen">, incoming: IncomingMessage): Promise<void> {
    try {
      for await (const line of linesOf(incoming)) await options.onLine(line);
    } catch (error) {
      failed(error);
    }
    again(mine);
  }

  function again(mine: Pick<Control, "tail" | "listen">): void {
    if (control !== mine) return;
    setTimeout(() => {
      if (control === mine) opening = open(mine);
    }, PAUSE).unref();
  }

  return {
    attach(present) {
      control = present;
      opening = open(present);
      return opening;
    },
    detach() {
      control = undefined;
      stream?.destroy();
      stream = undefined;
    },
    async listen(functions) {
      wanted = functions;
      await opening;
      await control?.listen(wanted).catch(failed);
    },
  };
}

async function* linesOf(incoming: IncomingMessage): AsyncGenerator<TailLine> {
  const decoder = new StringDecoder("utf8");
  let rest = "";
  for await (const chunk of incoming) {
    const parts = (rest + decoder.write(chunk as Buffer)).split("\n");
    rest = parts.pop() ?? "";
    if (rest.length > MAX_LINE) throw new RangeError("a line is longer than any the router sends");
    for (const part of parts) if (part) yield JSON.parse(part) as TailLine;
  }
}
