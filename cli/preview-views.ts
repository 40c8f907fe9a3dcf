// Previews as text for people. Pure.

import type { PreviewEntry } from "../agent/model.js";
import { formatTable, paintState } from "./table.js";
import type { ViewOptions } from "./views.js";
import { describeError, printable, says } from "./wording.js";

export function listPreviews(previews: PreviewEntry[], { colour, now }: ViewOptions): string {
  const rows = previews.map((one) => {
    const { branch, commit, state, version, updatedAt, expiresAt, url, error, warnings = [] } = one;
    return {
      cells: [
        ...[one.function, branch ?? "-", commit.slice(0, 7)].map(printable),
        paintState(state, colour),
        version?.slice(0, 8) ?? "-",
        says.ago(now - updatedAt),
        expiresAt === null ? "-" : says.ahead(expiresAt - now),
        url === null ? "-" : printable(url),
      ],
      below: [
        ...(error ? [`error: ${printable(describeError(error))}`] : []),
        ...warnings.map(({ message }) => `note: ${printable(message)}`),
      ],
    };
  });
  return formatTable(["FUNCTION", "BRANCH", "COMMIT", "STATE", "VERSION", "SINCE", "ENDS", "URL"], rows);
}
