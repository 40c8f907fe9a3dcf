// The front of access: who shows which credential. Invariant: every kind of token is checked as what it is, and none works
// in place of another (SECURITY.md A4); a valid credential is never refused for failures of others (A8).

import { WrkstError } from "../errors.js";
import type { AccessRecords } from "../model-access.js";
import { type Identity, MAIN, SCOPES } from "./access.js";
import { openAdminToken } from "./admin-token.js";
import { ADMIN, type ApiTokens, createApiTokens, type Lapsed } from "./api-tokens.js";
import { createAttempts } from "./attempts.js";
import { presentedToken } from "./presented.js";

export { type Action, actorOf, type Identity, MAIN, permits, ROLES, type Role, SCOPES, type Scope } from "./access.js";

export interface AuthOptions {
  /** The folder `secrets`. */
  secretsDir: string;
  /** `ADMIN_TOKEN`. */
  adminToken: boolean;
  records: AccessRecords;
  now?: () => number;
}

export interface Auth {
  /** Where the admin token lies, or undefined when it is off. */
  readonly tokenFile: string | undefined;
  /**
   * Who shows this Authorization header (`Bearer <token>`, or `Basic` with the token as password); undefined when nobody.
   * A wrong credential is counted against the address, and the account where it is known.
   * @throws WrkstError ERR_RATE_LIMITED for a wrong credential after too many
   */
  authenticate(authorization: string | undefined, address: string): Promise<Identity | undefined>;
  readonly tokens: ApiTokens;
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
export async function openAuth({ secretsDir, adminToken, records, now = Date.now }: AuthOptions): Promise<Auth> {
  const admin = await openAdminToken({ folder: secretsDir, enabled: adminToken });
  const attempts = createAttempts({ now });
  const tokens = createApiTokens({ records, roleOf: () => undefined, now });

  async function identify(presented: string): Promise<Identity | Lapsed | undefined> {
    if (admin.matches(presented)) return ADMIN_IDENTITY;
    return tokens.authenticate(presented);
  }

  /** @throws WrkstError ERR_RATE_LIMITED */
  function countFailure(keys: string[]): void {
    if (keys.some((key) => attempts.exhausted(key))) {
      throw new WrkstError("ERR_RATE_LIMITED", "too many wrong credentials");
    }
    for (const key of keys) attempts.failed(key);
  }

  return {
    tokenFile: admin.file,
    tokens,
    async authenticate(authorization, address) {
      if (authorization === undefined) return undefined;
      const presented = presentedToken(authorization);
      const found = presented === undefined ? undefined : await identify(presented);
      if (found && !("lapsedAccount" in found)) return found;
      countFailure(found ? [address, `account:${found.lapsedAccount}`] : [address]);
      return undefined;
    },
  };
}
