// The front of access: who shows which credential, and how people get one. Invariant: every kind of token is checked as what
// it is, and none works in place of another (SECURITY.md A4); a valid credential is never refused for failures of others (A8).

import { WrkstError } from "../errors.js";
import type { AccessRecords, AccessSettings } from "../model-access.js";
import { type Identity, MAIN, SCOPES } from "./access.js";
import { createAccessTokens } from "./access-tokens.js";
import { openAdminToken } from "./admin-token.js";
import { ADMIN, type ApiTokens, createApiTokens, type Lapsed } from "./api-tokens.js";
import { createAttempts } from "./attempts.js";
import { createCiTokens } from "./ci-tokens.js";
import { type Client, clientOf, mayRedirect, scopesOf } from "./clients.js";
import { createGrants, type Grants } from "./grants.js";
import { createLogins, type Logins } from "./logins.js";
import { PREFIX } from "./opaque.js";
import { presentedToken } from "./presented.js";
import { createProvider } from "./provider.js";
import { openSigningKey } from "./signing-key.js";
import { createUsers, type Users } from "./users.js";

export {
  type Action,
  actorOf,
  effectiveScopes,
  type Identity,
  MAIN,
  permits,
  ROLES,
  type Role,
  SCOPES,
  type Scope,
} from "./access.js";
export type { ApiTokens } from "./api-tokens.js";
export { ALL_SCOPES, type Client, isScope, scopesOf } from "./clients.js";
export type { Grants, Parameters, Refusal } from "./grants.js";
export type { Logins, Question } from "./logins.js";
export type { Users } from "./users.js";

export interface AuthOptions {
  /** The folder `secrets`. */
  secretsDir: string;
  /** `ADMIN_TOKEN`. */
  adminToken: boolean;
  records: AccessRecords;
  settings: AccessSettings;
  /** Origin of the platform, without trailing slash: where people log in, and what issues our tokens. */
  publicUrl: () => string;
  now?: () => number;
  /** Milliseconds between two looks at the keys of a CI issuer. */
  cooldown?: number;
}

export interface Auth {
  /** Where the admin token lies, or undefined when it is off. */
  readonly tokenFile: string | undefined;
  /**
   * Who shows this Authorization header (`Bearer <token>`, or `Basic` with the token as password); undefined when nobody.
   * A wrong credential is counted against the address, and the account where it is known.
   * @throws WrkstError ERR_RATE_LIMITED for a wrong credential after too many; ERR_LOGIN_PROVIDER when a CI issuer is down
   */
  authenticate(authorization: string | undefined, address: string): Promise<Identity | undefined>;
  /** Takes down a failed attempt. @throws WrkstError ERR_RATE_LIMITED after too many */
  countFailure(address: string, account?: string): void;
  isAccount(account: string): boolean;
  readonly tokens: ApiTokens;
  readonly users: Users;
  readonly grants: Grants;
  /** undefined without OIDC_ISSUER: then there is no login. */
  readonly logins: Logins | undefined;
  client(id: unknown): Client | undefined;
  mayRedirect(client: Client, uri: unknown): uri is string;
}

const ADMIN_IDENTITY: Identity = {
  subject: ADMIN,
  name: ADMIN,
  email: null,
  role: "admin",
  account: MAIN,
  scopes: SCOPES,
  isBound: false,
  credential: { kind: "admin-token", id: null },
};

/** @throws WrkstError ERR_CONFIG when a file of secrets holds none */
export async function openAuth(options: AuthOptions): Promise<Auth> {
  const { secretsDir, settings, publicUrl, now = Date.now } = options;
  const { redirects, ciRules, provider: providerSettings } = settings;
  const admin = await openAdminToken({ folder: secretsDir, enabled: options.adminToken });
  const key = await openSigningKey(secretsDir, settings.jwtSecret);
  const isOfRules = (account: string) => account === MAIN || ciRules.some((rule) => rule.account === account);
  const isAccount = (account: string) => isOfRules(account) || options.records.isAccountTaken(account);
  const records = { ...options.records, isAccountTaken: isAccount };
  const users = createUsers(records, settings, now);
  const tokens = createApiTokens({ records, roleOf: users.active, isAccount, now });
  const accessTokens = createAccessTokens({ key, publicUrl, now });
  const ciTokens = createCiTokens({ rules: ciRules, now, ...pick(options, "cooldown") });
  const provider = providerSettings && createProvider({ settings: providerSettings, publicUrl, now });
  const attempts = createAttempts({ now });

  async function identify(presented: string): Promise<Identity | Lapsed | undefined> {
    if (admin.matches(presented)) return ADMIN_IDENTITY;
    if (presented.startsWith(PREFIX.apiToken)) return tokens.authenticate(presented);
    if (presented.split(".").length !== 3) return undefined;
    return (await loggedIn(presented)) ?? (await ciTokens.authenticate(presented));
  }

  /** Revocation and disabling take effect at once here too, though the token's life would allow for more (A5). */
  async function loggedIn(presented: string): Promise<Identity | Lapsed | undefined> {
    const claims = await accessTokens.verify(presented);
    if (!claims) return undefined;
    const family = records.family(claims.familyId);
    const user = family && users.active(family.userId);
    if (!user || user.id !== claims.userId) return { lapsedAccount: records.user(claims.userId)?.account ?? "unknown" };
    const { id: subject, name, email, role, account } = user;
    const credential = { kind: "access-token" as const, id: family.id };
    return { subject, name, email, role, account, scopes: scopesOf(claims.scope), isBound: false, credential };
  }

  /** @throws WrkstError ERR_RATE_LIMITED */
  function countFailure(address: string, account?: string): void {
    const keys = account === undefined ? [address] : [address, `account:${account}`];
    if (keys.some((one) => attempts.exhausted(one))) {
      throw new WrkstError("ERR_RATE_LIMITED", "too many wrong credentials from this address, or for this account", {
        hint: "wait a minute",
      });
    }
    for (const one of keys) attempts.failed(one);
  }

  return {
    tokenFile: admin.file,
    tokens,
    users,
    isAccount,
    countFailure,
    grants: createGrants({ records, accessTokens, users, redirects, publicUrl, now }),
    logins: provider && createLogins({ records, provider, users, now, publicUrl }),
    client: (id) => clientOf(id, redirects),
    mayRedirect: (client, uri): uri is string => mayRedirect(client, uri, redirects),
    async authenticate(authorization, address) {
      if (authorization === undefined) return undefined;
      const presented = presentedToken(authorization);
      const found = presented === undefined ? undefined : await identify(presented);
      if (found && !("lapsedAccount" in found)) return found;
      countFailure(address, found?.lapsedAccount);
      return undefined;
    },
  };
}

/** The option if it is there: an option that is undefined is another thing. */
function pick<T extends object, K extends keyof T>(options: T, key: K): Pick<T, K> | Record<string, never> {
  return options[key] === undefined ? {} : ({ [key]: options[key] } as Pick<T, K>);
}
