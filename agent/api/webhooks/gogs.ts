// Gogs's webhooks. Pure.
// https://gogs.io/advancing/webhooks

import { gogsLike } from "./gogs-family.js";

export const gogs = gogsLike("Gogs");
