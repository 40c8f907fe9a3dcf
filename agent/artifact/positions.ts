// Turns places in built modules, as workerd's messages name them, into places of the source. Pure.

import { originalPositionFor, TraceMap } from "@jridgewell/trace-mapping";
import type { Position } from "../errors.js";

/** A message whose places speak of sources, and the first of them. */
export interface MappedMessage {
  message: string;
  position?: Position;
}

/**
 * Replaces every `module.js:1:24` in the message by `src/index.ts:3:5` where a source map knows the place.
 * `maps` is the JSON text of the source maps by module name; a broken map leaves its places as they are.
 */
export function mapErrorPositions(message: string, maps: Record<string, string>): MappedMessage {
  return createPositionMapper(maps)(message);
}

/** The same for many messages: each map is read once. */
export function createPositionMapper(maps: Record<string, string>): (message: string) => MappedMessage {
  const names = Object.keys(maps).sort((a, b) => b.length - a.length);
  if (!names.length) return (message) => ({ message });
  const traces = new Map<string, TraceMap | undefined>();
  const trace = (name: string) => {
    if (!traces.has(name)) traces.set(name, parseMap(maps[name] ?? ""));
    return traces.get(name);
  };
  const places = new RegExp(`(?<![\\w./-])(${names.map(escapeRegExp).join("|")}):(\\d+):(\\d+)`, "g");
  return (message) => {
    let position: Position | undefined;
    const mapped = message.replace(places, (place, name: string, line: string, column: string) => {
      const found = sourcePlace(trace(name), Number(line), Number(column));
      if (!found) return place;
      position ??= found;
      return `${found.file}:${found.line}:${found.column}`;
    });
    return { message: mapped, ...(position ? { position } : {}) };
  };
}

function parseMap(json: string): TraceMap | undefined {
  try {
    return new TraceMap(json);
  } catch {
    return undefined;
  }
}

/** Lines count from 1 on both sides; columns from 1 in messages and from 0 in source maps. */
function sourcePlace(map: TraceMap | undefined, line: number, column: number): Required<Position> | undefined {
  if (!map || line < 1 || column < 1) return undefined;
  const found = originalPositionFor(map, { line, column: column - 1 });
  return found.source === null ? undefined : { file: found.source, line: found.line, column: found.column + 1 };
}

function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
