// Which databases an account has, and by whose word they come, go and are shared. Never looks into one.
import { objectFile, sizeOf } from "../../databases/index.js";
import { WrkstError } from "../../errors.js";
import { type Actor, type DatabaseDetail, type DatabaseRef, isDatabaseName } from "../../model.js";
import type { DatabaseRecord, FunctionRecord, NewEvent, Registry } from "../../store/index.js";
import type { Databases } from "../databases.js";
import { belongingTo } from "./belonging.js";

export interface KeepingDeps {
  registry: Pick<Registry, "databases" | "functionByName" | "addEvent">;
  publisher: { publish(): Promise<void> };
  /** Publishes again, soon: what was recorded could not be brought to the runtime. */
  wake(): void;
  dataDir: string;
}

export type Keeping = Pick<
  Databases,
  "list" | "find" | "detail" | "create" | "remove" | "undelete" | "removed" | "share" | "unshare"
> & {
  /** @throws WrkstError ERR_DATABASE_NOT_FOUND */
  expect(of: DatabaseRef): DatabaseRecord;
};

export function createKeeping({ registry, publisher, wake, dataDir }: KeepingDeps): Keeping {
  const { databases } = registry;

  const live = ({ account, database }: DatabaseRef): DatabaseRecord | undefined => {
    const found = databases.byId(database);
    return found?.account === account && found.removedAt === null ? found : databases.byName(account, database);
  };
  const expect = (of: DatabaseRef): DatabaseRecord => {
    const found = live(of);
    if (found) return found;
    throw notFound(of);
  };
  const detailOf = (record: DatabaseRecord): DatabaseDetail => {
    const { id, account, name, owner, epoch, createdAt, removedAt } = record;
    const size = sizeOf(objectFile(dataDir, id, epoch));
    const uses = removedAt === null ? databases.uses(id) : [];
    return { id, account, name, owner, epoch, createdAt, removedAt, size, tables: null, uses };
  };
  const isTold = (record: DatabaseRecord) =>
    record.isDeclared || sizeOf(objectFile(dataDir, record.id, record.epoch)) > 0;

  function write<T>(change: () => T, event: NewEvent): T {
    return databases.together(() => {
      const result = change();
      registry.addEvent(event);
      return result;
    });
  }

  async function publish(): Promise<void> {
    try {
      await publisher.publish();
    } catch (error) {
      wake();
      throw error;
    }
  }

  function create(account: string, name: string, by: Actor): DatabaseDetail {
    if (!isDatabaseName(name)) {
      const received = JSON.stringify(name.slice(0, 100));
      throw new WrkstError(
        "ERR_INVALID",
        `expected a name of letters, digits, "-" and "_", at most 64, received ${received}`,
      );
    }
    const message = `the database "${name}" was created by ${by.name}`;
    const made = () => databases.create({ account, name, owner: null });
    return detailOf(
      write(made, { kind: "database.created", ...belongingTo({ account, owner: null }), message, actor: by }),
    );
  }

  async function remove(of: DatabaseRef, { force }: { force: boolean }, by: Actor): Promise<void> {
    const database = expect(of);
    const { id, name } = database;
    const users = databases.uses(id).map((use) => `"${use.function}"`);
    if (users.length && !force) {
      throw new WrkstError("ERR_CONFLICT", `the database "${name}" is bound to ${users.join(", ")}`, {
        hint: "remove the binding first, or force it: their queries fail from then on",
      });
    }
    const message = `the database "${name}" was removed by ${by.name}`;
    write(() => databases.remove(id), { kind: "database.removed", ...belongingTo(database), message, actor: by });
    await publish();
  }

  async function undelete(of: DatabaseRef, by: Actor): Promise<DatabaseDetail> {
    const { account, database } = of;
    const found = databases.removed(account).find(({ id, name }) => id === database || name === database);
    if (!found) throw notFound(of, "see: wrkst d1 list --removed");
    const message = `the database "${found.name}" was restored by ${by.name}`;
    const restored = write(() => databases.restore(found.id), {
      kind: "database.restored",
      ...belongingTo(found),
      message,
      actor: by,
    });
    await publish();
    return detailOf(restored);
  }

  async function share(of: DatabaseRef, functionName: string, by: Actor): Promise<void> {
    const { id, name, owner } = expect(of);
    const function_ = expectFunction(of.account, functionName);
    if (owner === null || owner === function_.id) {
      const why = owner === null ? "is open to all functions of the account" : `is that of "${functionName}"`;
      throw new WrkstError("ERR_INVALID", `the database "${name}" ${why}: nothing has to be shared`);
    }
    const message = `the database "${name}" was shared with "${functionName}" by ${by.name}`;
    const event = { kind: "database.shared", account: of.account, function: functionName, message, actor: by };
    write(() => databases.share(id, function_.id, by), event);
    await publish();
  }

  async function unshare(of: DatabaseRef, functionName: string, by: Actor): Promise<void> {
    const { id, name } = expect(of);
    const function_ = expectFunction(of.account, functionName);
    if (!databases.shares(id).includes(function_.id)) {
      throw new WrkstError("ERR_NOT_FOUND", `nobody shared the database "${name}" with "${functionName}" by hand`, {
        hint: "what the wrangler file of its owner shares ends there: [wrkst] share",
      });
    }
    const message = `the database "${name}" is no longer shared with "${functionName}", by ${by.name}`;
    const event = { kind: "database.unshared", account: of.account, function: functionName, message, actor: by };
    write(() => databases.unshare(id, function_.id), event);
    await publish();
  }

  function expectFunction(account: string, name: string): FunctionRecord {
    const found = registry.functionByName(name);
    if (found?.account === account) return found;
    throw new WrkstError("ERR_NOT_FOUND", `there is no function "${name}"`, { hint: "see: wrkst status" });
  }

  return {
    expect,
    list: (account) => databases.all(account).filter(isTold).map(detailOf),
    find: (of) => {
      const found = live(of);
      return found && detailOf(found);
    },
    detail: async (of) => detailOf(expect(of)),
    create,
    remove,
    undelete,
    removed: (account) => databases.removed(account).filter(isTold).map(detailOf),
    share,
    unshare,
  };
}

function notFound({ database }: DatabaseRef, hint = "see: wrkst d1 list"): WrkstError {
  return new WrkstError("ERR_DATABASE_NOT_FOUND", `there is no database "${database.slice(0, 100)}"`, { hint });
}
