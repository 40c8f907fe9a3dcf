// Whose an event of a database is. Pure.
import type { Database } from "../../model.js";
import type { NewEvent } from "../../store/index.js";

/** For each event of a database: its account hears of it, and so does whoever follows the function that owns it. */
export function belongingTo({
  account,
  owner,
}: Pick<Database, "account" | "owner">): Pick<NewEvent, "account" | "functionId"> {
  return { account, ...(owner === null ? {} : { functionId: owner }) };
}
