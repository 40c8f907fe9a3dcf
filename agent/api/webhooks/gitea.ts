// Gitea's webhooks. Pure.
// https://docs.gitea.com/usage/webhooks

import { gogsLike } from "./gogs-family.js";

export const gitea = gogsLike("Gitea");
