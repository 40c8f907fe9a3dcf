// Forgejo's webhooks. Pure.
// https://forgejo.org/docs/latest/user/webhooks/

import { gogsLike } from "./gogs-family.js";

export const forgejo = gogsLike("Forgejo");
