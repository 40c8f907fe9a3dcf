// All that can be done with databases by hand.
export { createKeeping, type Keeping, type KeepingDeps } from "./keeping.js";
