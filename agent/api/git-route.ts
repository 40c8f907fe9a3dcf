// Git over HTTP of the embedded repository. The handler reads and writes by itself: no body parser, no buffering.

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Request } from "express";
import { WrkstError } from "../errors.js";
import type { Rule } from "./gate.js";
import type { Routes } from "./routes.js";

export type GitHandler = (req: IncomingMessage, res: ServerResponse, pathInfo: string, who: string) => void;

export function addGitRoute(routes: Routes, git: GitHandler): void {
  const summary = "Smart HTTP of the embedded repository";
  routes.add({ method: "ALL", path: "/git/*path", rule: ruleOf, streams: true, summary }, ({ req, res, identity }) => {
    const pathInfo = req.path.slice("/git".length);
    if (!/^\/[a-z0-9-]+\.git\/[a-zA-Z0-9/_.-]+$/.test(pathInfo) || pathInfo.includes("..")) {
      throw new WrkstError("ERR_NOT_FOUND", "there is no such repository", {
        hint: "the address is /git/functions.git",
      });
    }
    git(req, res, pathInfo, identity.name);
    return new Promise((resolve) => res.once("close", resolve));
  });
}

/** Both requests of a push say so, the first one in its query. */
function ruleOf({ path, query }: Request): Rule {
  const isPush = path.endsWith("/git-receive-pack") || query.service === "git-receive-pack";
  return { action: isPush ? "push" : "read", of: "main" };
}
