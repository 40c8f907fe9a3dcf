// The text of a wrangler file as a value with positions. Pure.
// Invariant: whatever the text is, it is a document or a WrkstError; values are plain JSON, dates and non-finite numbers excepted.

import { createScanner, type Node, type ParseError, parseTree, printParseErrorCode } from "jsonc-parser";
import { parse as parseToml, TomlDate, TomlError } from "smol-toml";
import { type Position, WrkstError } from "../errors.js";
import { locateTomlKeys, type Path, pathKey } from "./toml-positions.js";

export type { Path };
export type Table = Record<string, unknown>;

export interface Document {
  /** Path as errors show it. */
  file: string;
  value: Table;
  /** Position of the key at a path, or of the nearest one above it; the bare file where there is none. */
  positionOf(path: Path): Position;
}

/** Bytes of a wrangler file. */
export const MAX_MANIFEST_SIZE = 1024 * 1024;
const MAX_DEPTH = 64;

/**
 * Reads TOML or, by the file's name, JSON with comments and trailing commas (wrangler reads both `.json` and `.jsonc` so).
 * Throws ERR_MANIFEST with line and column.
 */
export function parseDocument(raw: { text: string; file: string }): Document {
  const { file } = raw;
  const text = raw.text.startsWith("\uFEFF") ? raw.text.slice(1) : raw.text;
  const size = Buffer.byteLength(text);
  if (size > MAX_MANIFEST_SIZE) {
    throw new WrkstError("ERR_MANIFEST", `expected at most ${MAX_MANIFEST_SIZE} bytes, received ${size}`, {
      hint: "move large values of [vars] into a module that the function imports",
      position: { file },
    });
  }
  return file.endsWith(".toml") ? parseTomlDocument(text, file) : parseJsonDocument(text, file);
}

export function isTable(value: unknown): value is Table {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

function parseTomlDocument(text: string, file: string): Document {
  const value = plain(parseTomlText(text, file), 0, file) as Table;
  let offsets: Map<string, number> | undefined;
  // Positions are wanted for errors and warnings only; most files have none.
  const offsetOf = (key: string) => {
    offsets ??= locateTomlKeys(text);
    return offsets.get(key);
  };
  return { file, value, positionOf: (path) => nearestPosition(path, { text, file, offsetOf }) };
}

function parseTomlText(text: string, file: string): unknown {
  try {
    return parseToml(text, { maxDepth: MAX_DEPTH });
  } catch (error) {
    if (!(error instanceof TomlError)) throw tooDeep({ file });
    const reason = error.message.split("\n", 1)[0]!.replace(/^Invalid TOML document: /, "");
    throw new WrkstError("ERR_MANIFEST", `invalid TOML: ${reason}`, {
      position: { file, line: error.line, column: error.column },
    });
  }
}

function parseJsonDocument(text: string, file: string): Document {
  refuseDeepJson(text, file);
  const errors: ParseError[] = [];
  const root = parseTree(text, errors, { allowTrailingComma: true });
  const first = errors[0];
  if (first) {
    throw new WrkstError("ERR_MANIFEST", `invalid JSON: ${words(printParseErrorCode(first.error))}`, {
      position: positionAt(text, first.offset, file),
    });
  }
  if (root?.type !== "object") {
    throw new WrkstError("ERR_MANIFEST", `expected an object, received ${root?.type ?? "nothing"}`, {
      position: { file, line: 1, column: 1 },
    });
  }
  const offsets = new Map<string, number>();
  const value = readNode(root, [], offsets) as Table;
  return {
    file,
    value,
    positionOf: (path) => nearestPosition(path, { text, file, offsetOf: (key) => offsets.get(key) }),
  };
}

/** The parser of JSON calls itself for each level: the depth is bounded before it runs. */
function refuseDeepJson(text: string, file: string): void {
  const scanner = createScanner(text, true);
  let depth = 0;
  for (scanner.scan(); scanner.getTokenOffset() < text.length; scanner.scan()) {
    const start = text[scanner.getTokenOffset()];
    if (start === "{" || start === "[") depth++;
    if (start === "}" || start === "]") depth--;
    if (depth > MAX_DEPTH) throw tooDeep(positionAt(text, scanner.getTokenOffset(), file));
  }
}

/** A node's value. Of a key that stands twice the last counts, as for JSON.parse. */
function readNode(node: Node, path: Path, offsets: Map<string, number>): unknown {
  if (node.type === "array") {
    return (node.children ?? []).map((child, index) => {
      offsets.set(pathKey([...path, index]), child.offset);
      return readNode(child, [...path, index], offsets);
    });
  }
  if (node.type !== "object") return node.value;
  const entries = (node.children ?? []).map((property) => {
    const [key, child] = property.children!;
    const at = [...path, String(key!.value)];
    offsets.set(pathKey(at), key!.offset);
    return [String(key!.value), child && readNode(child, at, offsets)] as const;
  });
  return Object.fromEntries(entries);
}

/** Tables of the TOML parser as ordinary objects, bounded in depth (dotted keys escape the parser's own limit). */
function plain(value: unknown, depth: number, file: string): unknown {
  if (depth > MAX_DEPTH) throw tooDeep({ file });
  if (Array.isArray(value)) return value.map((item) => plain(item, depth + 1, file));
  if (value instanceof TomlDate || !isTable(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item, depth + 1, file)]));
}

interface Places {
  text: string;
  file: string;
  offsetOf: (key: string) => number | undefined;
}

function nearestPosition(path: Path, { text, file, offsetOf }: Places): Position {
  for (let length = path.length; length > 0; length--) {
    const offset = offsetOf(pathKey(path.slice(0, length)));
    if (offset !== undefined) return positionAt(text, offset, file);
  }
  return { file };
}

function positionAt(text: string, offset: number, file: string): Position {
  const before = text.slice(0, offset);
  const line = before.split("\n").length;
  return { file, line, column: offset - (before.lastIndexOf("\n") + 1) + 1 };
}

function tooDeep(position: Position): WrkstError {
  return new WrkstError("ERR_MANIFEST", `expected at most ${MAX_DEPTH} levels of nesting, received more`, { position });
}

/** `PropertyNameExpected` → `property name expected`. */
function words(code: string): string {
  return code.replace(/(?<!^)([A-Z])/g, " $1").toLowerCase();
}
