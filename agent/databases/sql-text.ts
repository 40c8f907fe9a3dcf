// SQL as text: where statements end, and on which line something stands. Pure; knows as much of SQL as SQLite's own
// `sqlite3_complete`, so that triggers with statements inside stay whole.

export interface SqlStatement {
  /** With its semicolon, and with the blank space and comments before it. */
  text: string;
  /** Line on which `text` begins, from 1. */
  line: number;
}

type Token = "semicolon" | "explain" | "create" | "temporary" | "trigger" | "end" | "other";
type State = "start" | "normal" | "explain" | "create" | "trigger" | "semicolon" | "end";

/** As in SQLite's complete.c: a trigger ends only with `; END;`. */
const NEXT: Record<State, Partial<Record<Token, State>> & { otherwise: State }> = {
  start: { semicolon: "start", explain: "explain", create: "create", otherwise: "normal" },
  normal: { semicolon: "start", otherwise: "normal" },
  explain: { semicolon: "start", other: "explain", create: "create", otherwise: "normal" },
  create: { semicolon: "start", temporary: "create", trigger: "trigger", otherwise: "normal" },
  trigger: { semicolon: "semicolon", otherwise: "trigger" },
  semicolon: { semicolon: "semicolon", end: "end", otherwise: "trigger" },
  end: { semicolon: "start", otherwise: "trigger" },
};
const WORDS: Record<string, Token> = {
  explain: "explain",
  create: "create",
  temp: "temporary",
  temporary: "temporary",
  trigger: "trigger",
  end: "end",
};

/** Strings, quoted names, comments, words, single characters. What is cut off at the end matches up to there. */
const PIECE =
  /'[^']*(?:'|$)|"[^"]*(?:"|$)|`[^`]*(?:`|$)|\[[^\]]*(?:\]|$)|--[^\n]*(?:\n|$)|\/\*[\s\S]*?(?:\*\/|$)|[\p{ID_Start}_][\p{ID_Continue}$]*|\s+|[\s\S]/uy;

/**
 * Takes text in parts and gives back whole statements. A statement is never given back before its semicolon was seen, so
 * that what is kept is one statement at most.
 */
export function createSplitter() {
  let rest = "";
  let line = 1;

  function take(isEnd: boolean): SqlStatement[] {
    const found: SqlStatement[] = [];
    let begin = 0;
    let state: State = "start";
    PIECE.lastIndex = 0;
    while (PIECE.lastIndex < rest.length) {
      const [piece = ""] = PIECE.exec(rest) ?? [];
      const token = tokenOf(piece);
      if (token === undefined) continue;
      state = NEXT[state][token] ?? NEXT[state].otherwise;
      if (token !== "semicolon" || state !== "start") continue;
      found.push(cut(begin, PIECE.lastIndex));
      begin = PIECE.lastIndex;
    }
    const last = rest.slice(begin);
    if (isEnd && state !== "start") found.push(cut(begin, rest.length));
    rest = isEnd ? "" : last;
    return found;
  }

  function cut(begin: number, end: number): SqlStatement {
    const statement = { text: rest.slice(begin, end), line };
    line += countLines(statement.text);
    return statement;
  }

  return {
    push(text: string): SqlStatement[] {
      rest += text;
      // Without a semicolon in what is new nothing can have ended.
      return text.includes(";") ? take(false) : [];
    },
    end: () => take(true),
    /** Characters that wait for their semicolon. */
    waiting: () => rest.length,
  };
}

/** Line and column of an offset, both from 1. */
export function placeOf(text: string, offset: number): { line: number; column: number } {
  const before = text.slice(0, offset);
  return { line: countLines(before) + 1, column: before.length - before.lastIndexOf("\n") };
}

/** Where the first statement from the offset on has its first word, behind blank space and comments; undefined: there is none. */
export function firstWordFrom(text: string, offset: number): number | undefined {
  PIECE.lastIndex = offset;
  while (PIECE.lastIndex < text.length) {
    const at = PIECE.lastIndex;
    const [piece = ""] = PIECE.exec(text) ?? [];
    if (![undefined, "semicolon"].includes(tokenOf(piece))) return at;
  }
  return undefined;
}

function tokenOf(piece: string): Token | undefined {
  if (piece === ";") return "semicolon";
  if (/^\s|^--|^\/\*/.test(piece)) return undefined;
  return WORDS[piece.toLowerCase()] ?? "other";
}

function countLines(text: string): number {
  let count = 0;
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) count++;
  return count;
}
