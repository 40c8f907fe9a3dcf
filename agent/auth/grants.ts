// What clients get for codes and refresh tokens (OAuth 2.1, RFC 8628, RFC 7009). Invariant: a code and a refresh token work
// once; what is used twice ends everything that came of it (SECURITY.md A4).

import { createHash, randomInt, randomUUID } from "node:crypto";
import type { AccessRecords, ClientRedirect, DeviceCode, RefreshToken, TokenFamily, User } from "../model-access.js";
import { ACCESS_TOKEN_LIFE, type AccessTokens } from "./access-tokens.js";
import { clientOf } from "./clients.js";
import { createOpaque, digestOfKind } from "./opaque.js";
import type { Users } from "./users.js";

const DAY = 86_400_000;
/** Since its last use; and since the login, so that the provider is asked again what has become of the person. */
const REFRESH_LIFE = 30 * DAY;
const FAMILY_LIFE = 90 * DAY;
const DEVICE_LIFE = 600_000;
/** Seconds between two questions of a device. */
const DEVICE_INTERVAL = 5;
/** No vowels, so that no words come of it; no letters that look alike (RFC 8628 6.1). */
const USER_CODE_LETTERS = "BCDFGHJKLMNPQRSTVWXZ";

export type GrantError =
  | "invalid_request"
  | "invalid_client"
  | "invalid_grant"
  | "invalid_scope"
  | "unsupported_grant_type"
  | "authorization_pending"
  | "slow_down"
  | "access_denied"
  | "expired_token";

export interface Refusal {
  error: GrantError;
  description: string;
  /** Somebody tried what was never good: counts as a failed attempt. */
  isGuess?: boolean;
}

export interface Tokens {
  access_token: string;
  token_type: "Bearer";
  /** Seconds. */
  expires_in: number;
  refresh_token: string;
  scope: string;
}

export interface Granted {
  tokens: Tokens;
  user: User;
  family: TokenFamily;
}

export interface DeviceAnswer {
  device_code: string;
  user_code: string;
  verification_uri: string;
  verification_uri_complete: string;
  expires_in: number;
  interval: number;
}

export type Parameters = Partial<Record<string, string>>;

export interface Grants {
  /** `POST /oauth2/token`. */
  exchange(parameters: Parameters): Promise<Granted | Refusal>;
  /** `POST /oauth2/revoke`: what is not known is no error (RFC 7009). Answers the family that ended. */
  revoke(parameters: Parameters): Promise<TokenFamily | undefined>;
  /** `POST /oauth2/device/auth`, from that address. */
  beginDevice(parameters: Parameters & { scope: string }, address: string): DeviceAnswer | Refusal;
  /** The device that shows this code, however it is typed. */
  deviceOf(typed: string): DeviceCode | undefined;
}

export interface GrantsOptions {
  records: AccessRecords;
  accessTokens: AccessTokens;
  users: Users;
  redirects: readonly ClientRedirect[];
  publicUrl: () => string;
  now: () => number;
}

export function createGrants(options: GrantsOptions): Grants {
  const { records, accessTokens, users, redirects, publicUrl, now } = options;

  async function exchangeCode(parameters: Parameters): Promise<Granted | Refusal> {
    const digest = digestOfKind("code", parameters.code);
    const code = digest === undefined ? undefined : records.code(digest);
    if (!digest || !code) return refused("the code is unknown", true);
    if (code.familyId !== null) {
      records.removeFamily(code.familyId);
      return refused("the code was used before: what came of it is revoked");
    }
    if (code.expiresAt <= now()) return refused("the code has expired");
    if (code.clientId !== parameters.client_id) return refused("the code is another client's");
    if (code.redirectUri !== (parameters.redirect_uri ?? code.redirectUri)) return refused("the redirect URI differs");
    if (challengeOf(parameters.code_verifier) !== code.challenge) return refused("the verifier does not fit", true);
    const family = newFamily(code);
    return await grant(family, () => {
      records.addFamily(family);
      records.useCode(digest, family.id);
    });
  }

  async function refresh(parameters: Parameters): Promise<Granted | Refusal> {
    const digest = digestOfKind("refreshToken", parameters.refresh_token);
    const token = digest === undefined ? undefined : records.refreshToken(digest);
    const family = token && records.family(token.familyId);
    if (!digest || !token || !family) return refused("the refresh token is unknown", true);
    if (token.used) {
      records.removeFamily(family.id);
      return refused("the refresh token was used before: the login is revoked");
    }
    if (token.expiresAt <= now()) return refused("the refresh token has expired");
    if (family.clientId !== parameters.client_id) return refused("the refresh token is another client's");
    return await grant(family, () => records.useRefreshToken(digest));
  }

  async function exchangeDevice(parameters: Parameters): Promise<Granted | Refusal> {
    const digest = digestOfKind("deviceCode", parameters.device_code);
    const device = digest === undefined ? undefined : records.deviceCode(digest);
    if (!digest || !device) return refused("the device code is unknown", true);
    if (device.clientId !== parameters.client_id) return refused("the device code is another client's");
    if (device.expiresAt <= now()) return { error: "expired_token", description: "nobody confirmed in time" };
    if (device.state === "denied") return { error: "access_denied", description: "the person said no" };
    if (device.state === "pending" || device.userId === null) {
      const isEarly = device.polledAt !== null && now() - device.polledAt < DEVICE_INTERVAL * 1000;
      records.pollDeviceCode(digest, now());
      const error = isEarly ? "slow_down" : "authorization_pending";
      return { error, description: "nobody has confirmed yet" };
    }
    const family = newFamily({ ...device, userId: device.userId });
    return await grant(family, () => {
      records.removeDeviceCode(digest);
      records.addFamily(family);
    });
  }

  function newFamily({ userId, clientId, scope }: Omit<TokenFamily, "id" | "createdAt">): TokenFamily {
    return { id: randomUUID(), userId, clientId, scope, createdAt: now() };
  }

  /** Nothing waits between the caller's look at the records and `take`: two at once cannot both get through. */
  async function grant(family: TokenFamily, take: () => void): Promise<Granted | Refusal> {
    const user = users.active(family.userId);
    if (!user) return refused("the user may not log in any more");
    const { secret, digest } = createOpaque("refreshToken");
    const expiresAt = Math.min(now() + REFRESH_LIFE, family.createdAt + FAMILY_LIFE);
    const next: RefreshToken = { familyId: family.id, used: false, expiresAt };
    records.transaction(() => {
      take();
      records.addRefreshToken(digest, next);
    });
    const access_token = await accessTokens.sign(user, family);
    const life = { token_type: "Bearer" as const, expires_in: ACCESS_TOKEN_LIFE };
    return { tokens: { access_token, ...life, refresh_token: secret, scope: family.scope }, user, family };
  }

  return {
    exchange: (parameters) => {
      const type = parameters.grant_type;
      const isOf = (name: string, wanted: string) =>
        type === wanted || (type === undefined && parameters[name] !== undefined);
      if (isOf("code", "authorization_code")) return exchangeCode(parameters);
      if (isOf("refresh_token", "refresh_token")) return refresh(parameters);
      if (isOf("device_code", "urn:ietf:params:oauth:grant-type:device_code")) return exchangeDevice(parameters);
      const isMissing = type === undefined;
      return Promise.resolve({
        error: isMissing ? "invalid_request" : "unsupported_grant_type",
        description: 'expected "authorization_code", "refresh_token" or the device grant',
      });
    },
    async revoke({ token = "", client_id }) {
      const digest = digestOfKind("refreshToken", token);
      const claims = digest === undefined ? await accessTokens.verify(token) : undefined;
      const id = digest === undefined ? claims?.familyId : records.refreshToken(digest)?.familyId;
      const family = id === undefined ? undefined : records.family(id);
      if (!family || (client_id !== undefined && client_id !== family.clientId)) return undefined;
      records.removeFamily(family.id);
      return family;
    },
    beginDevice({ client_id, scope }, address) {
      const client = clientOf(client_id, redirects);
      if (!client) return { error: "invalid_client", description: "expected the id of a known client" };
      const { secret, digest } = createOpaque("deviceCode");
      const userCode = Array.from({ length: 8 }, () => USER_CODE_LETTERS[randomInt(USER_CODE_LETTERS.length)]).join("");
      const waiting = { state: "pending", userId: null, polledAt: null } as const;
      const asked = { userCode, clientId: client.id, scope, address, expiresAt: now() + DEVICE_LIFE };
      records.removeExpiredLogins(now() - DEVICE_LIFE);
      records.addDeviceCode(digest, { ...asked, ...waiting });
      const shown = `${userCode.slice(0, 4)}-${userCode.slice(4)}`;
      const page = `${publicUrl()}/device`;
      const where = { verification_uri: page, verification_uri_complete: `${page}?user_code=${shown}` };
      const times = { expires_in: DEVICE_LIFE / 1000, interval: DEVICE_INTERVAL };
      return { device_code: secret, user_code: shown, ...where, ...times };
    },
    deviceOf(typed) {
      const found = records.deviceCodeOf(typed.toUpperCase().replace(/[^A-Z]/g, ""));
      return found?.state === "pending" && found.expiresAt > now() ? found : undefined;
    },
  };
}

function refused(description: string, isGuess = false): Refusal {
  return { error: "invalid_grant", description, isGuess };
}

/** S256 of a verifier in its grammar (RFC 7636 4.1); undefined for what is none. */
function challengeOf(verifier: string | undefined): string | undefined {
  if (verifier === undefined || !/^[\w.~-]{43,128}$/.test(verifier)) return undefined;
  return createHash("sha256").update(verifier).digest("base64url");
}
