// Hears what functions say from one life of the runtime to the next. A line is asked for when the one before was dealt with,
// so that whoever is slow slows the stream down, and the router leaves out what it cannot hold.
import type { IncomingMessage } from "node:http";
import { StringDecoder } from "node:string_decoder";
import type { TailLine } from "../../runtime/wire.js";
import type { Control } from "./control.js";
import type { Log } from "./runtime-log.js";

type Speaker = Pick<Control, "tail" | "listen">;

export interface Hearing {
  /** A process has begun: what its functions say is heard, until the function that is answered is called. */
  attach(control: Speaker): () => void;
  /** From now on these are listened to. Resolves when every process knows, or is not there to be told. Never rejects. */
  listen(functions: string[]): Promise<void>;
}

/** The router bounds what a line can be; what is longer is dropped. */
const MAX_LINE = 4 * 2 ** 20;
/** Milliseconds until a stream that broke is opened again. */
const PAUSE = 1000;

interface Attachment {
  control: Speaker;
  isOver: boolean;
  stream?: IncomingMessage;
  opening: Promise<void>;
}

export function createHearing(options: { onLine(line: TailLine): Promise<void>; log: Log }): Hearing {
  let wanted: string[] = [];
  const attachments = new Set<Attachment>();
  const failed = (error: unknown) => options.log.debug({ err: error }, "what functions say cannot be heard");

  async function open(one: Attachment): Promise<void> {
    try {
      one.stream = await one.control.tail(wanted);
      if (one.isOver) one.stream.destroy();
      void follow(one, one.stream);
    } catch (error) {
      failed(error);
      again(one);
    }
  }

  async function follow(one: Attachment, incoming: IncomingMessage): Promise<void> {
    try {
      for await (const line of linesOf(incoming)) await options.onLine(line);
    } catch (error) {
      failed(error);
    }
    again(one);
  }

  function again(one: Attachment): void {
    if (one.isOver) return;
    setTimeout(() => {
      if (!one.isOver) one.opening = open(one);
    }, PAUSE).unref();
  }

  return {
    attach(control) {
      const one: Attachment = { control, isOver: false, opening: Promise.resolve() };
      attachments.add(one);
      one.opening = open(one);
      return () => {
        one.isOver = true;
        attachments.delete(one);
        one.stream?.destroy();
      };
    },
    async listen(functions) {
      wanted = functions;
      const tell = async (one: Attachment) => {
        await one.opening;
        if (!one.isOver) await one.control.listen(wanted).catch(failed);
      };
      await Promise.all([...attachments].map(tell));
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
