// What Gogs, Gitea and Forgejo have in common: each is the other's descendant and signs under its own name. Pure.

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

const PUSH = z.object({ ref: REF, after: COMMIT, head_commit: z.object({ id: COMMIT }).nullish() });
/** `create` and `delete` name a reference without its folder; `sha` comes with `create`. */
const REFERENCE = z.object({
  ref: z.string().min(1).max(1000),
  ref_type: z.enum(["branch", "tag"]),
  sha: COMMIT.optional(),
});

/**
 * The name's own headers count and no others, although each also sends those of its ancestors. What is signed is the JSON,
 * also where a form is sent, so only JSON can be right.
 * @param name as in `X-Gitea-Signature`
 */
export function gogsLike(name: "Gogs" | "Gitea" | "Forgejo"): Provider {
  return {
    proof: { kind: "secret", verifier: hexSignature(`X-${name}-Signature`) },
    delivery(headers) {
      const event = eventIn(headers, `X-${name}-Event`);
      const kind = /^(?:push|create|delete)$/.test(event) ? "push" : "other";
      return { id: requiredIdIn(headers, [`X-${name}-Delivery`]), event, kind };
    },
    pushes(body, { headers, event }): Push[] {
      if (event === "push") {
        const { ref, after, head_commit } = parsePayload(PUSH, body, headers);
        return [{ ref, commit: announced(after) && (head_commit?.id ?? after) }];
      }
      const { ref, ref_type, sha } = parsePayload(REFERENCE, body, headers);
      const folder = ref_type === "branch" ? "heads" : "tags";
      return [{ ref: `refs/${folder}/${ref}`, commit: event === "create" ? announced(sha) : undefined }];
    },
  };
}
