// Cuts a byte stream into lines of limited length. Keeps at most one unfinished line in memory.
import type { Readable } from "node:stream";
import { StringDecoder } from "node:string_decoder";

/** Longer lines are cut; what is beyond is dropped, not carried over into a line of its own. */
export const MAX_LINE = 8192;

/** Calls `onLine` for each line, without its end; also for a last one that has none. */
export function readLines(stream: Readable, onLine: (line: string) => void): void {
  const decoder = new StringDecoder("utf8");
  let rest = "";
  const keep = (text: string) => {
    if (rest.length < MAX_LINE) rest += text.slice(0, MAX_LINE - rest.length);
  };
  const finish = () => {
    onLine(rest.endsWith("\r") ? rest.slice(0, -1) : rest);
    rest = "";
  };
  stream.on("data", (chunk: Buffer) => {
    const parts = decoder.write(chunk).split("\n");
    const last = parts.pop() ?? "";
    for (const part of parts) {
      keep(part);
      finish();
    }
    keep(last);
  });
  stream.on("end", () => {
    if (rest) finish();
  });
  // A pipe of a killed process may break; its end is told by the process, not here.
  stream.on("error", () => {});
}
