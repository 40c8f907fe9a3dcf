// Every sentence that the command says, in one place: by family in wording/, together here. Pure.

import { saysOfDatabases } from "./wording/databases.js";
import { saysOfFunctions } from "./wording/functions.js";
import { saysOfServer } from "./wording/server.js";
import { saysOfSources } from "./wording/sources.js";
import { saysOfTelling } from "./wording/telling.js";

export { COMMANDS } from "./wording/commands.js";
export { PLACES } from "./wording/places.js";
export { describeError, examples, formatJson, printable, size } from "./wording/printing.js";
export { HINTS, PAGE, TEXT } from "./wording/text.js";

export const VERSION = "0.1.0";

export const says = { ...saysOfServer, ...saysOfSources, ...saysOfTelling, ...saysOfFunctions, ...saysOfDatabases };
