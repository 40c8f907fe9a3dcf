// Time travel as wrangler asks for it. It goes as far as the snapshots do: a bookmark is a snapshot's id.

import { z } from "zod";
import { WrkstError } from "../../errors.js";
import type { Databases } from "../../reconcile/databases.js";
import { refOf } from "../database-routes.js";
import { ONE } from "./d1.js";
import { type AddRoute, DEPLOY } from "./index.js";

const timestamp = z.iso.datetime({ offset: true }).optional();
const bookmarkQuery = z.looseObject({ timestamp });
const restoreQuery = z.looseObject({ timestamp, bookmark: z.string().max(64).optional() });

export function addTimeTravelRoutes(add: AddRoute, databases: Databases): void {
  add(
    {
      ...{ method: "GET", path: `${ONE}/time_travel/bookmark`, rule: DEPLOY, query: bookmarkQuery },
      summary: "The bookmark of a time; without one a snapshot of now is taken",
    },
    async (call) => {
      const of = refOf(call);
      const { timestamp: raw } = call.query;
      // People note it before they change something: it must lead back to this state, not to that of last night.
      if (raw === undefined) return { bookmark: (await databases.snapshot(of, "request", call.actor)).id };
      const { id, at } = databases.bookmark(of, Date.parse(raw));
      return { bookmark: id, timestamp: new Date(at).toISOString() };
    },
  );
  add(
    {
      ...{ method: "POST", path: `${ONE}/time_travel/restore`, rule: DEPLOY, query: restoreQuery },
      summary: "Goes back to a bookmark or to a time",
    },
    async (call) => {
      const { bookmark, timestamp: raw } = call.query;
      if ((bookmark === undefined) === (raw === undefined)) {
        throw new WrkstError("ERR_INVALID", 'expected either "bookmark" or "timestamp"');
      }
      const to = bookmark === undefined ? { time: Date.parse(raw ?? "") } : { snapshot: bookmark };
      const { restored, before } = await databases.restore(refOf(call), to, call.actor);
      const message = `the database is as it was at ${new Date(restored.at).toISOString()}`;
      return { bookmark: restored.id, previous_bookmark: before.id, message };
    },
  );
}
