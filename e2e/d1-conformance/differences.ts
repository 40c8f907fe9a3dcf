// Where a target gives something else than wrkst, and why that is so. What is listed here is in d1/README.md too.
import type { Target } from "./targets.js";

const RESET =
  "Durable Object was reset and rolled back to its last known good state because the application left the database in a state where constraints were violated: FOREIGN KEY constraint failed: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_FOREIGNKEY)";
const EXEC_LINE = [
  "D1_EXEC_ERROR: Error in line 1: INSERT INTO ey_t VALUES ('a'): no such table: nowhere: SQLITE_ERROR",
  [0],
];
/** Its object gives SQLite texts that hold nothing but comments and semicolons, at least at their end. */
const NO_STATEMENT = "SQL code did not contain a statement.";

type Listed = Record<string, { gave: unknown } | { threw: string }>;

/** The object that the server keeps databases in; `host` is the same server, asked over HTTP. */
const BUNDLED: Listed = {
  "a batch that leaves foreign keys broken is refused, and the database goes on": {
    gave: [`D1_ERROR: ${RESET}`, [0]],
  },
  "exec names the line that failed, and leaves nothing of those before it": { gave: EXEC_LINE },
  "a conflict clause cannot roll back what others do": { gave: "D1_ERROR: internal error; reference" },
};

/** Case → what it gives there; `threw`, where it does not even come to its end. */
export const differences: Partial<Record<Target, Listed>> = {
  bundled: BUNDLED,
  host: BUNDLED,
  miniflare: {
    "a batch that leaves foreign keys broken is refused, and the database goes on": { gave: [RESET, [0]] },
    "exec names the line that failed, and leaves nothing of those before it": { gave: EXEC_LINE },
    "a conflict clause cannot roll back what others do": { gave: "internal error; reference" },
    "no table of the platform is seen": { gave: [["_cf_METADATA"]] },
    "exec runs lines, and counts them": {
      threw: `D1_EXEC_ERROR: Error in line 1: CREATE TABLE ex_t (v TEXT): ${NO_STATEMENT}`,
    },
    "takes a block comment with a semicolon": { threw: `D1_ERROR: ${NO_STATEMENT}` },
    "takes trailing semicolons and white space": { threw: `D1_ERROR: ${NO_STATEMENT}` },
    'refuses a text without statements: ";"': { gave: `D1_ERROR: ${NO_STATEMENT}` },
    'refuses a text without statements: "-- nothing"': { gave: `D1_ERROR: ${NO_STATEMENT}` },
    'refuses a text without statements: "/* nothing */"': { gave: `D1_ERROR: ${NO_STATEMENT}` },
  },
};
