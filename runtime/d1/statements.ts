// Reads SQL text as far as its comments, strings and quoted names go. Pure.

/** Where the last statement ends, without the comments and semicolons behind it, which SQLite refuses; 0 if there is none. */
export function endOfStatements(sql: string): number {
  let end = 0;
  for (let at = 0; at < sql.length; ) {
    const next = afterToken(sql, at);
    if (!isBlank(sql, at)) end = next;
    at = next;
  }
  return end;
}

/** Whether what begins there is a comment, a semicolon or white space. */
function isBlank(sql: string, at: number): boolean {
  const character = sql[at]!;
  if (character === "-") return sql[at + 1] === "-";
  if (character === "/") return sql[at + 1] === "*";
  return /[\s;]/.test(character);
}

/** Where the comment, string, quoted name or single character that begins there has ended. */
function afterToken(sql: string, at: number): number {
  const character = sql[at]!;
  if (character === "-" && sql[at + 1] === "-") return after(sql, "\n", at);
  if (character === "/" && sql[at + 1] === "*") return after(sql, "*/", at + 2);
  if (character === "'" || character === '"' || character === "`") return after(sql, character, at + 1);
  return character === "[" ? after(sql, "]", at) : at + 1;
}

function after(sql: string, end: string, from: number): number {
  const found = sql.indexOf(end, from);
  return found === -1 ? sql.length : found + end.length;
}
