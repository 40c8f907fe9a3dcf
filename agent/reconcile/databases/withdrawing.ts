// Who loses a database because its owner shares less than before. Pure, but for what the registry says.
import type { Manifest } from "../../model.js";
import type { Registry } from "../../store/index.js";

type Sharing = Pick<Manifest, "share"> | undefined;

/** Functions that serve with a database of the owner's which was shared with them by its file and is no longer, as sentences. */
export function withdrawn(
  { databases }: Pick<Registry, "databases">,
  owner: { id: string; account: string; name: string },
  { before, after }: { before: Sharing; after: Sharing },
): string[] {
  const isNamed = (sharing: Sharing, name: string) => !!sharing?.share?.some((one) => one === name || one === "*");
  if (!before?.share?.length) return [];
  const owned = databases.all(owner.account).filter((database) => database.owner === owner.id);
  return owned.flatMap(({ id, name }) => {
    const byHand = new Set(databases.shares(id));
    const users = databases.uses(id).filter((use) => !use.isOwner && isNamed(before, use.function));
    return users
      .filter((use) => !isNamed(after, use.function) && !byHand.has(databases.functionId(owner.account, use.function)))
      .map(
        (use) => `"${owner.name}" shares the database "${name}" with "${use.function}" no longer: its queries fail now`,
      );
  });
}
