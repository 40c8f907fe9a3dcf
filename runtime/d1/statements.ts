// Finds the statements in SQL text as SQLite would, without understanding them: comments, strings, quoted names, triggers. Pure.

/** From the first character of a statement to its last; semicolons and comments around it are left out. In UTF-16 units. */
export interface Place {
  start: number;
  end: number;
}

/** What must be known of a text before it is run. */
export interface Shape {
  /** Where its last statement ends: what follows is comments and semicolons, which SQLite refuses. 0: there is none. */
  end: number;
  /** One statement that changes nothing. */
  isRead: boolean;
  /** Changes rows or nothing: what it did can be told by counting them. */
  isChange: boolean;
  /** Whether it may put the check of foreign keys off to the end of the transaction. */
  defers: boolean;
}

/** Nothing in it ends a statement, or could hide what does. */
const PLAIN = /^\s*(select|values)\b[^;'"`[\-/]*$/i;
const READS = /^(select|values|explain)\b/i;
const CHANGES = /^(insert|replace|update|delete)\b/i;
const DEFERS = /defer_foreign_keys/i;

export function shapeOf(sql: string): Shape {
  if (PLAIN.test(sql)) return { end: sql.length, isRead: true, isChange: false, defers: false };
  let count = 0;
  let last: Place = { start: 0, end: 0 };
  for (const place of placesOf(sql)) {
    count++;
    last = place;
  }
  const begin = count === 1 ? sql.slice(last.start, last.start + 8) : "";
  const isRead = READS.test(begin);
  return { end: last.end, isRead, isChange: CHANGES.test(begin), defers: !isRead && DEFERS.test(sql) };
}

/**
 * Where the rule is SQLite's own of `sqlite3_complete`: a semicolon ends a statement, but in CREATE TRIGGER only the one behind
 * an END that itself follows a semicolon; the END of a CASE never does.
 */
export function* placesOf(sql: string): Generator<Place> {
  let start = -1;
  let end = 0;
  let words = "";
  let isTrigger = false;
  /** In a trigger: what stood last, as far as it matters. */
  let behind: "statement" | "semicolon" | "end" = "statement";
  for (let at = 0; at < sql.length; ) {
    const next = afterToken(sql, at);
    if (isBlank(sql, at)) {
      at = next;
      continue;
    }
    const isSemicolon = sql[at] === ";";
    if (isSemicolon && isTrigger && behind !== "end") {
      behind = "semicolon";
    } else if (isSemicolon) {
      if (start !== -1) yield { start, end };
      [start, words, isTrigger, behind] = [-1, "", false, "statement"];
    } else {
      if (start === -1) start = at;
      if (isTrigger) {
        behind = behind === "semicolon" && isEnd(sql, at, next) ? "end" : "statement";
      } else if (words.length < MOST_WORDS) {
        words += `${sql.slice(at, next)} `;
        isTrigger = TRIGGER.test(words);
      }
    }
    // The semicolons inside a trigger are a part of it.
    if (!isSemicolon || isTrigger) end = next;
    at = next;
  }
  if (start !== -1) yield { start, end };
}

const isEnd = (sql: string, at: number, next: number) => next - at === 3 && /^end$/i.test(sql.slice(at, next));

const TRIGGER = /^(explain (query plan )?)?create (temp |temporary )?trigger /i;
const MOST_WORDS = "explain query plan create temporary trigger ".length;

/**
 * Whether a conflict would end the whole transaction, which here is the object's and nobody's to end: `OR ROLLBACK`,
 * `ON CONFLICT ROLLBACK`, `RAISE(ROLLBACK, …)`.
 */
export function endsTransactions(sql: string): boolean {
  if (!/rollback/i.test(sql)) return false;
  const words: string[] = [];
  for (let at = 0; at < sql.length; ) {
    const next = afterToken(sql, at);
    if (!isBlank(sql, at)) words.push(sql.slice(at, next).toLowerCase());
    at = next;
  }
  return words.some(
    (word, index) =>
      word === "rollback" &&
      (["or", "conflict"].includes(words[index - 1]!) || (words[index - 1] === "(" && words[index - 2] === "raise")),
  );
}

/** Whether what begins there is a comment or white space. */
function isBlank(sql: string, at: number): boolean {
  const code = sql.charCodeAt(at);
  if (code === 0x2d) return sql[at + 1] === "-";
  if (code === 0x2f) return sql[at + 1] === "*";
  return code === 0x20 || (code >= 0x09 && code <= 0x0d && code !== 0x0b);
}

const WORD = /[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*/y;

/** Where the comment, string, quoted name, word or single character that begins there has ended. */
function afterToken(sql: string, at: number): number {
  const character = sql[at]!;
  if (character === "-" && sql[at + 1] === "-") return after(sql, "\n", at);
  if (character === "/" && sql[at + 1] === "*") return after(sql, "*/", at + 2);
  // A doubled quote inside is read as two strings side by side, which end where the one does.
  if (character === "'" || character === '"' || character === "`") return after(sql, character, at + 1);
  if (character === "[") return after(sql, "]", at);
  WORD.lastIndex = at;
  return WORD.test(sql) ? WORD.lastIndex : at + 1;
}

function after(sql: string, end: string, from: number): number {
  const found = sql.indexOf(end, from);
  return found === -1 ? sql.length : found + end.length;
}
