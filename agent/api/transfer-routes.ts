// Where files come and go by an address that holds a secret. Invariant: a question that changes nothing (`HEAD`) uses none up.

import { z } from "zod";
import { WrkstError } from "../errors.js";
import { sendFile } from "./files.js";
import { Reply, type Routes } from "./routes.js";
import { TRANSFERS, type Transfers } from "./transfers.js";

/** In the query, which the log of requests leaves out. */
const query = z.strictObject({ key: z.string().min(1).max(100) });

export function addTransferRoutes(routes: Routes, transfers: Transfers): void {
  const path = `${TRANSFERS}/:id`;
  routes.add(
    { method: "PUT", path, rule: "open", query, streams: true, summary: "Takes in the file that is expected here" },
    async ({ req, params, query: { key } }) => {
      const { md5 } = await transfers.receive(params.id ?? "", key, req);
      return new Reply({ etag: md5 }, { headers: { etag: `"${md5}"` } });
    },
  );
  routes.add(
    { method: "GET", path, rule: "open", query, summary: "The file that is offered here, once" },
    async ({ req, res, params, query: { key } }) => {
      if (req.method !== "GET") throw new WrkstError("ERR_NO_ROUTE", "a transfer is fetched by GET");
      const { release, ...file } = transfers.take(params.id ?? "", key);
      try {
        return await sendFile(res, file.path, file);
      } finally {
        await release();
      }
    },
  );
}
