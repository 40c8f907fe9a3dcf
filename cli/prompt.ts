// Asks the person at the terminal, or takes what is piped in. Invariant: a secret is never shown, and the terminal is left
// as it was found.

import { Failure } from "./failure.js";
import type { Io } from "./io.js";
import { says, TEXT } from "./wording.js";

/** All of stdin, without the line break at its end. */
export async function readInput({ input }: Io): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of input) chunks.push(Buffer.from(chunk as Uint8Array | string));
  return Buffer.concat(chunks)
    .toString("utf8")
    .replace(/\r?\n$/, "");
}

/** A value that nobody may see: typed without echo, or piped in. */
export async function askSecret(question: string, io: Io, hint: string = TEXT.pipeSecret): Promise<string> {
  const value = io.input.isTTY ? await readLine(question, io, false) : await readInput(io);
  if (value) return value;
  throw new Failure(TEXT.emptySecret, hint);
}

/** Whether the person agrees; nobody is there to agree where stdin is no terminal. */
export async function confirm(question: string, io: Io): Promise<boolean> {
  if (!io.input.isTTY) throw new Failure(says.nobodyToAsk(question), TEXT.sayYes);
  return /^y(es)?$/i.test((await readLine(`${question} [y/N] `, io, true)).trim());
}

const [END_OF_TEXT, END_OF_INPUT, BACKSPACE, DELETE] = ["\x03", "\x04", "\b", "\x7f"];

/** What Ctrl-C ends the command with where the terminal sends it as a key. */
export class Interrupted extends Error {}

/** One line, read key by key. */
async function readLine(question: string, { input, err, signal }: Io, isShown: boolean): Promise<string> {
  // First of all: what is typed early is not shown either.
  input.setRawMode?.(true);
  err(question);
  const keys = new AbortController();
  try {
    return await new Promise<string>((resolve, reject) => {
      let line = "";
      const press = (key: string) => {
        if (key === END_OF_TEXT) reject(new Interrupted());
        else if (key === "\r" || key === "\n" || key === END_OF_INPUT) resolve(line);
        else if (key === BACKSPACE || key === DELETE) {
          if (isShown && line) err("\b \b");
          line = [...line].slice(0, -1).join("");
        } else if (key >= " ") {
          line += key;
          if (isShown) err(key);
        }
      };
      const onKeys = (chunk: Buffer | string) => [...String(chunk)].forEach(press);
      const onEnd = () => resolve(line);
      input.on("data", onKeys);
      input.on("end", onEnd);
      signal.addEventListener("abort", () => reject(new Interrupted()), { signal: keys.signal });
      keys.signal.addEventListener("abort", () => {
        input.off("data", onKeys);
        input.off("end", onEnd);
      });
      input.resume();
    });
  } finally {
    keys.abort();
    input.setRawMode?.(false);
    input.pause();
    err("\n");
  }
}
