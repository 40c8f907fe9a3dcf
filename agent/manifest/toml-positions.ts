// Where each key of a TOML document stands. Pure. Reads documents that a TOML parser has accepted; of anything else it
// finds what it can, and always ends.

/** Parts of a path to a value: names of keys, indexes of arrays. */
export type Path = readonly (string | number)[];

/** One string for a path, to look positions up by. */
export function pathKey(path: Path): string {
  return path.join("\0");
}

interface Scan {
  text: string;
  at: number;
  offsets: Map<string, number>;
}

/** Offsets of keys and array elements, by `pathKey`. */
export function locateTomlKeys(text: string): Map<string, number> {
  const scan: Scan = { text, at: 0, offsets: new Map() };
  const lengths = new Map<string, number>();
  let table: Path = [];
  while (skipVoid(scan)) {
    if (text[scan.at] === "[") table = readHeader(scan, lengths);
    else readPair(scan, table);
  }
  return scan.offsets;
}

/** `[a.b]` or `[[a.b]]`; the path of the table, with the indexes of the arrays of tables on the way. */
function readHeader(scan: Scan, lengths: Map<string, number>): Path {
  const isArray = scan.text.startsWith("[[", scan.at);
  scan.at += isArray ? 2 : 1;
  const parts = readKey(scan, "]");
  scan.at += isArray ? 1 : 0;
  let path: Path = [];
  for (const [index, part] of parts.entries()) {
    path = [...path, part.name];
    const key = pathKey(path);
    note(scan, path, part.offset);
    if (isArray && index === parts.length - 1) lengths.set(key, (lengths.get(key) ?? 0) + 1);
    const length = lengths.get(key);
    if (length !== undefined) {
      path = [...path, length - 1];
      note(scan, path, part.offset);
    }
  }
  return path;
}

/** `a.b = value`, in a table or between braces. */
function readPair(scan: Scan, table: Path): void {
  let path = table;
  for (const part of readKey(scan, "=")) {
    path = [...path, part.name];
    note(scan, path, part.offset);
  }
  readValue(scan, path);
}

/** The dotted parts up to the end character, which is passed over; a line's end ends a broken key too. */
function readKey(scan: Scan, end: string): { name: string; offset: number }[] {
  const parts: { name: string; offset: number }[] = [];
  while (scan.at < scan.text.length) {
    const char = scan.text[scan.at]!;
    if (char === end || char === "\n") {
      scan.at++;
      break;
    }
    if (char === "." || char === " " || char === "\t") {
      scan.at++;
      continue;
    }
    const offset = scan.at;
    if (char === '"' || char === "'") skipString(scan);
    else skipUntil(scan, `. \t\n${end}`);
    parts.push({ name: nameOf(scan.text.slice(offset, scan.at)), offset });
  }
  return parts;
}

function nameOf(raw: string): string {
  if (raw.startsWith("'")) return raw.slice(1, -1);
  if (!raw.startsWith('"')) return raw;
  try {
    return JSON.parse(raw) as string;
  } catch {
    return raw.slice(1, -1);
  }
}

function readValue(scan: Scan, path: Path): void {
  skipBlanks(scan);
  const char = scan.text[scan.at];
  if (char === '"' || char === "'") skipString(scan);
  else if (char === "[") readArray(scan, path);
  else if (char === "{") readInlineTable(scan, path);
  else skipUntil(scan, ",]}#\n");
}

function readArray(scan: Scan, path: Path): void {
  scan.at++;
  for (let index = 0; skipVoid(scan); ) {
    const before = scan.at;
    const char = scan.text[scan.at];
    if (char === "]") {
      scan.at++;
      return;
    }
    if (char === ",") {
      scan.at++;
      continue;
    }
    const element = [...path, index++];
    note(scan, element, scan.at);
    readValue(scan, element);
    if (scan.at === before) scan.at++;
  }
}

function readInlineTable(scan: Scan, path: Path): void {
  scan.at++;
  while (skipVoid(scan)) {
    const char = scan.text[scan.at];
    if (char === "}") {
      scan.at++;
      return;
    }
    if (char === ",") scan.at++;
    else readPair(scan, path);
  }
}

/** The first place that names a path is its place: `[a]` before `a.b` of a later header. */
function note(scan: Scan, path: Path, offset: number): void {
  const key = pathKey(path);
  if (!scan.offsets.has(key)) scan.offsets.set(key, offset);
}

/** Passes over a string of any of the four kinds. */
function skipString(scan: Scan): void {
  const quote = scan.text[scan.at]!;
  const isLong = scan.text.startsWith(quote.repeat(3), scan.at);
  const close = isLong ? quote.repeat(3) : quote;
  scan.at += close.length;
  while (scan.at < scan.text.length && !scan.text.startsWith(close, scan.at)) {
    scan.at += quote === '"' && scan.text[scan.at] === "\\" ? 2 : 1;
  }
  scan.at += close.length;
  // A long string may end in one or two quotes of its own before the closing three.
  while (isLong && scan.text[scan.at] === quote) scan.at++;
}

function skipBlanks(scan: Scan): void {
  while (scan.text[scan.at] === " " || scan.text[scan.at] === "\t") scan.at++;
}

function skipUntil(scan: Scan, stops: string): void {
  while (scan.at < scan.text.length && !stops.includes(scan.text[scan.at]!)) scan.at++;
}

/** Passes over blanks, line ends and comments; false at the end of the text. */
function skipVoid(scan: Scan): boolean {
  while (scan.at < scan.text.length) {
    const char = scan.text[scan.at]!;
    if (char === "#") skipUntil(scan, "\n");
    else if (!" \t\r\n\uFEFF".includes(char)) return true;
    else scan.at++;
  }
  return false;
}
