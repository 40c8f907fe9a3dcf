// People and their credentials in the registry. Secrets never arrive here: what is looked up is a digest.

import type {
  AccessRecords,
  ApiToken,
  AuthorizationCode,
  DeviceCode,
  Login,
  RefreshToken,
  TokenFamily,
  User,
} from "../model-access.js";
import type { Db } from "./database.js";
import { fromJson } from "./json.js";

/** Logins and device codes on their way at most; above it the oldest go, so that nobody fills the disk. */
const MAX_PENDING = 10_000;

export function createAccess(db: Db): AccessRecords {
  return {
    transaction: (work) => db.transaction(work).immediate(),
    ...createUsers(db),
    ...createApiTokens(db),
    ...createFamilies(db),
    ...createCodes(db),
    ...createDeviceCodes(db),
    ...createLogins(db),
  };
}

type Row<T, Json extends keyof T = never, Flag extends keyof T = never> = Omit<T, Json | Flag> &
  Record<Json, string> &
  Record<Flag, number>;

const USER = `SELECT id, issuer, subject, email, email_verified AS emailVerified, name, groups, account, role, disabled,
  created_at AS createdAt, last_login_at AS lastLoginAt FROM users`;

type UserRow = Row<User, "groups", "emailVerified" | "disabled">;

function createUsers(db: Db) {
  const byId = db.prepare<[string], UserRow>(`${USER} WHERE id = ?`);
  const bySubject = db.prepare<[string, string], UserRow>(`${USER} WHERE issuer = ? AND subject = ?`);
  const all = db.prepare<[], UserRow>(`${USER} ORDER BY account`);
  const taken = db.prepare<[{ account: string }]>(
    `SELECT 1 WHERE EXISTS (SELECT 1 FROM users WHERE account = @account)
     OR EXISTS (SELECT 1 FROM functions WHERE account = @account)
     OR EXISTS (SELECT 1 FROM api_tokens WHERE account = @account)`,
  );
  const add = db.prepare(
    `INSERT INTO users (id, issuer, subject, email, email_verified, name, groups, account, role, disabled, created_at, last_login_at)
     VALUES (@id, @issuer, @subject, @email, @emailVerified, @name, @groups, @account, @role, @disabled, @createdAt, @lastLoginAt)`,
  );
  const save = db.prepare(
    `UPDATE users SET email = @email, email_verified = @emailVerified, name = @name, groups = @groups, role = @role,
     disabled = @disabled, last_login_at = @lastLoginAt WHERE id = @id`,
  );
  return {
    user: (id: string) => some(byId.get(id), userOf),
    userBySubject: (issuer: string, subject: string) => some(bySubject.get(issuer, subject), userOf),
    users: () => all.all().map(userOf),
    isAccountTaken: (account: string) => taken.get({ account }) !== undefined,
    addUser: (user: User) => void add.run(rowOf(user)),
    saveUser: (user: User) => void save.run(rowOf(user)),
  };
}

function userOf(row: UserRow): User {
  return {
    ...row,
    groups: fromJson<string[]>(row.groups),
    emailVerified: row.emailVerified === 1,
    disabled: row.disabled === 1,
  };
}

/** Arrays and objects as JSON, truth as 0 or 1. */
function rowOf(record: object): Record<string, unknown> {
  const asColumn = (value: unknown) =>
    typeof value === "boolean"
      ? Number(value)
      : value !== null && typeof value === "object"
        ? JSON.stringify(value)
        : value;
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, asColumn(value)]));
}

function some<R, T>(row: R | undefined, read: (row: R) => T): T | undefined {
  return row === undefined ? undefined : read(row);
}

const TOKEN = `SELECT id, name, owner, parent, account, scopes, created_at AS createdAt, expires_at AS expiresAt,
  last_used_at AS lastUsedAt FROM api_tokens`;

type TokenRow = Row<ApiToken, "scopes">;

function createApiTokens(db: Db) {
  const byDigest = db.prepare<[string], TokenRow>(`${TOKEN} WHERE digest = ?`);
  const all = db.prepare<[string | null], TokenRow>(
    `${TOKEN} WHERE owner = coalesce(?, owner) ORDER BY created_at DESC, id`,
  );
  const add = db.prepare(
    `INSERT INTO api_tokens (id, digest, name, owner, parent, account, scopes, created_at, expires_at, last_used_at)
     VALUES (@id, @digest, @name, @owner, @parent, @account, @scopes, @createdAt, @expiresAt, @lastUsedAt)`,
  );
  const remove = db.prepare("DELETE FROM api_tokens WHERE id = ?");
  const touch = db.prepare("UPDATE api_tokens SET last_used_at = ? WHERE id = ?");
  const tokenOf = (row: TokenRow): ApiToken => ({ ...row, scopes: fromJson(row.scopes) });
  return {
    apiToken: (digest: string) => some(byDigest.get(digest), tokenOf),
    apiTokens: (owner?: string) => all.all(owner ?? null).map(tokenOf),
    addApiToken: (digest: string, token: ApiToken) => void add.run(rowOf({ digest, ...token })),
    removeApiToken: (id: string) => void remove.run(id),
    touchApiToken: (id: string, at: number) => void touch.run(at, id),
  };
}

function createFamilies(db: Db) {
  const family = db.prepare<[string], TokenFamily>(
    `SELECT id, user_id AS userId, client_id AS clientId, scope, created_at AS createdAt FROM token_families WHERE id = ?`,
  );
  const add = db.prepare(
    `INSERT INTO token_families (id, user_id, client_id, scope, created_at)
     VALUES (@id, @userId, @clientId, @scope, @createdAt)`,
  );
  const remove = db.prepare("DELETE FROM token_families WHERE id = ?");
  const removeOf = db.prepare("DELETE FROM token_families WHERE user_id = ?");
  const refresh = db.prepare<[string], Row<RefreshToken, never, "used">>(
    "SELECT family_id AS familyId, used, expires_at AS expiresAt FROM refresh_tokens WHERE digest = ?",
  );
  const addRefresh = db.prepare(
    "INSERT INTO refresh_tokens (digest, family_id, used, expires_at) VALUES (@digest, @familyId, @used, @expiresAt)",
  );
  const useRefresh = db.prepare("UPDATE refresh_tokens SET used = 1 WHERE digest = ?");
  return {
    family: (id: string) => family.get(id),
    addFamily: (added: TokenFamily) => void add.run({ ...added }),
    removeFamily: (id: string) => void remove.run(id),
    removeFamiliesOf: (userId: string) => void removeOf.run(userId),
    refreshToken: (digest: string) => some(refresh.get(digest), (row) => ({ ...row, used: row.used === 1 })),
    addRefreshToken: (digest: string, token: RefreshToken) => void addRefresh.run(rowOf({ digest, ...token })),
    useRefreshToken: (digest: string) => void useRefresh.run(digest),
  };
}

function createCodes(db: Db) {
  const code = db.prepare<[string], AuthorizationCode>(
    `SELECT user_id AS userId, client_id AS clientId, redirect_uri AS redirectUri, challenge, scope,
     expires_at AS expiresAt, family_id AS familyId FROM authorization_codes WHERE digest = ?`,
  );
  const add = db.prepare(
    `INSERT INTO authorization_codes (digest, user_id, client_id, redirect_uri, challenge, scope, expires_at, family_id)
     VALUES (@digest, @userId, @clientId, @redirectUri, @challenge, @scope, @expiresAt, @familyId)`,
  );
  const use = db.prepare("UPDATE authorization_codes SET family_id = ? WHERE digest = ?");
  return {
    code: (digest: string) => code.get(digest),
    addCode: (digest: string, added: AuthorizationCode) => void add.run({ digest, ...added }),
    useCode: (digest: string, familyId: string) => void use.run(familyId, digest),
  };
}

const DEVICE = `SELECT user_code AS userCode, client_id AS clientId, scope, address, state, user_id AS userId,
  expires_at AS expiresAt, polled_at AS polledAt FROM device_codes`;

function createDeviceCodes(db: Db) {
  const byDigest = db.prepare<[string], DeviceCode>(`${DEVICE} WHERE digest = ?`);
  const byUserCode = db.prepare<[string], DeviceCode>(`${DEVICE} WHERE user_code = ?`);
  const add = db.prepare(
    `INSERT INTO device_codes (digest, user_code, client_id, scope, address, state, user_id, expires_at, polled_at)
     VALUES (@digest, @userCode, @clientId, @scope, @address, @state, @userId, @expiresAt, @polledAt)`,
  );
  const poll = db.prepare("UPDATE device_codes SET polled_at = ? WHERE digest = ?");
  const decide = db.prepare("UPDATE device_codes SET state = ?, user_id = ? WHERE user_code = ?");
  const remove = db.prepare("DELETE FROM device_codes WHERE digest = ?");
  const trim = trimmer(db, "device_codes");
  return {
    deviceCode: (digest: string) => byDigest.get(digest),
    deviceCodeOf: (userCode: string) => byUserCode.get(userCode),
    addDeviceCode: (digest: string, code: DeviceCode) => {
      add.run({ digest, ...code });
      trim();
    },
    pollDeviceCode: (digest: string, at: number) => void poll.run(at, digest),
    decideDeviceCode: (userCode: string, state: "approved" | "denied", userId: string) =>
      void decide.run(state, userId, userCode),
    removeDeviceCode: (digest: string) => void remove.run(digest),
  };
}

function createLogins(db: Db) {
  const add = db.prepare(
    `INSERT INTO logins (digest, browser, request, expires_at, nonce, verifier, user_id, form)
     VALUES (@digest, @browser, @request, @expiresAt, @nonce, @verifier, @userId, @form)`,
  );
  const find = db.prepare<[string], Row<Login, "request">>(
    `SELECT browser, request, expires_at AS expiresAt, nonce, verifier, user_id AS userId, form FROM logins WHERE digest = ?`,
  );
  const remove = db.prepare("DELETE FROM logins WHERE digest = ?");
  const expire = ["logins", "authorization_codes", "device_codes", "refresh_tokens"].map((table) =>
    db.prepare(`DELETE FROM ${table} WHERE expires_at < ?`),
  );
  // A family whose refresh tokens have all expired is over: access tokens live shorter.
  const end = db.prepare("DELETE FROM token_families WHERE id NOT IN (SELECT family_id FROM refresh_tokens)");
  const trim = trimmer(db, "logins");
  const login = (digest: string) =>
    some(find.get(digest), (row): Login => ({ ...row, request: fromJson(row.request) }));
  return {
    addLogin: (digest: string, added: Login) => {
      add.run(rowOf({ digest, ...added }));
      trim();
    },
    login,
    takeLogin: (digest: string) => {
      const found = login(digest);
      remove.run(digest);
      return found;
    },
    removeExpiredLogins: (before: number) => {
      for (const statement of expire) statement.run(before);
      end.run();
    },
  };
}

/** Keeps the table below its most rows: those that expire first go. */
function trimmer(db: Db, table: "logins" | "device_codes"): () => void {
  const trim = db.prepare(
    `DELETE FROM ${table} WHERE digest IN (SELECT digest FROM ${table} ORDER BY expires_at DESC LIMIT -1 OFFSET ${MAX_PENDING})`,
  );
  return () => void trim.run();
}
