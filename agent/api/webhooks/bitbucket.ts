// Bitbucket's webhooks, of Cloud and of Data Center. Pure.
// https://support.atlassian.com/bitbucket-cloud/docs/event-payloads/
// https://confluence.atlassian.com/bitbucketserver/event-payload-938025882.html

import { z } from "zod";
import {
  announced,
  COMMIT,
  eventIn,
  hexSignature,
  type Provider,
  type Push,
  parsePayload,
  REF,
  requiredIdIn,
} from "./provider.js";

const SIDE = z
  .object({ type: z.string(), name: z.string().min(1).max(1000), target: z.object({ hash: COMMIT }) })
  .nullable();

/** Of Cloud: `new` is null where a reference was deleted, `old` where it was made. */
const CLOUD = z.object({ push: z.object({ changes: z.array(z.object({ new: SIDE, old: SIDE })).max(10_000) }) });

const DATA_CENTER = z.object({
  changes: z.array(z.object({ ref: z.object({ id: REF }), toHash: COMMIT, type: z.string() })).max(10_000),
});

export const bitbucket: Provider = {
  // SHA-256 under the name that is SHA-1 elsewhere.
  proof: { kind: "secret", verifier: hexSignature("X-Hub-Signature", "sha256=") },
  delivery(headers) {
    const event = eventIn(headers, "X-Event-Key");
    const isPush = event === "repo:push" || event === "repo:refs_changed";
    if (event === "diagnostics:ping") return { id: undefined, event, kind: "ping" };
    // X-Hook-UUID is the hook's and the same in every delivery.
    const id = requiredIdIn(headers, ["X-Request-UUID", "X-Request-Id"]);
    return { id, event, kind: isPush ? "push" : "other" };
  },
  pushes(body, { headers, event }) {
    if (event === "repo:push") return parsePayload(CLOUD, body, headers).push.changes.flatMap(ofCloud);
    return parsePayload(DATA_CENTER, body, headers).changes.map(({ ref, toHash, type }) => ({
      ref: ref.id,
      commit: type === "DELETE" ? undefined : announced(toHash),
    }));
  },
};

function ofCloud(change: { new: z.infer<typeof SIDE>; old: z.infer<typeof SIDE> }): Push[] {
  const side = change.new ?? change.old;
  if (!side) return [];
  const folder = /tag$/.test(side.type) ? "tags" : "heads";
  return [{ ref: `refs/${folder}/${side.name}`, commit: announced(change.new?.target.hash) }];
}
