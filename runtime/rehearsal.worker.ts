// Runs statements on copies of databases, in the very object that holds databases where they serve. Has no functions, no
// network and no data but those copies, and knows no secret.
import type { RehearsalBindings } from "./bindings.js";
import { handleD1Control } from "./d1/control.js";

export { D1Database } from "./d1/object.js";

export default {
  fetch: (request, env) => handleD1Control(env.DATABASES, request),
} satisfies ExportedHandler<RehearsalBindings>;
