// Text that is made as fast as it is read, and no faster.

const PIECE = 256 * 1024;
/** Milliseconds that a reader may leave it lying; somebody may wait for the end. */
const PATIENCE = 30_000;

/** What a stream is, and a promise that resolves when it was read to its end, given up, or could not be made whole. */
export interface Ending {
  stream: ReadableStream<Uint8Array>;
  ended: Promise<void>;
}

/** Each time that pieces are made, it happens within `run`. */
export function streamOf(pieces: Generator<string>, run: <T>(work: () => T) => T): Ending {
  let resolve = () => {};
  const ended = new Promise<void>((settle) => {
    resolve = settle;
  });
  const encoder = new TextEncoder();
  let timer: ReturnType<typeof setTimeout> | null = null;
  const stop = () => {
    clearTimeout(timer);
    pieces.return(undefined);
    resolve();
  };
  const watch = (controller: ReadableStreamDefaultController) => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      stop();
      controller.error(new Error("nobody reads on"));
    }, PATIENCE);
  };
  const stream = new ReadableStream<Uint8Array>(
    {
      start: watch,
      pull(controller) {
        watch(controller);
        try {
          const { text, isLast } = run(() => nextOf(pieces));
          if (text) controller.enqueue(encoder.encode(text));
          if (!isLast) return;
          stop();
          controller.close();
        } catch (error) {
          stop();
          controller.error(error);
        }
      },
      cancel: stop,
    },
    { highWaterMark: 0 },
  );
  return { stream, ended };
}

function nextOf(pieces: Generator<string>): { text: string; isLast: boolean } {
  let text = "";
  while (text.length < PIECE) {
    const { done, value } = pieces.next();
    if (done) return { text, isLast: true };
    text += value;
  }
  return { text, isLast: false };
}
