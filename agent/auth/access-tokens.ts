// Access tokens: short-lived JWTs of our own (RFC 9068). Invariant: taken only with our type, issuer, audience and algorithm.

import { randomUUID } from "node:crypto";
import { jwtVerify, SignJWT } from "jose";
import type { TokenFamily, User } from "../model-access.js";

/** Seconds. */
export const ACCESS_TOKEN_LIFE = 3600;

export interface AccessTokenClaims {
  userId: string;
  familyId: string;
  scope: string;
}

export interface AccessTokens {
  sign(user: User, family: TokenFamily): Promise<string>;
  /** undefined for whatever is not a token of ours that is good now. */
  verify(presented: string): Promise<AccessTokenClaims | undefined>;
}

export interface AccessTokensOptions {
  key: Uint8Array;
  /** Origin of the platform: issuer and audience. */
  publicUrl: () => string;
  now: () => number;
}

export function createAccessTokens({ key, publicUrl, now }: AccessTokensOptions): AccessTokens {
  return {
    sign: (user, { id, clientId, scope }) => {
      const at = Math.floor(now() / 1000);
      return new SignJWT({ account_id: user.account, client_id: clientId, scope, sid: id })
        .setProtectedHeader({ alg: "HS256", typ: "at+jwt" })
        .setIssuer(publicUrl())
        .setAudience(publicUrl())
        .setSubject(user.id)
        .setJti(randomUUID())
        .setIssuedAt(at)
        .setExpirationTime(at + ACCESS_TOKEN_LIFE)
        .sign(key);
    },
    async verify(presented) {
      const requiredClaims = ["sub", "exp", "iat", "sid", "scope"];
      const expected = {
        algorithms: ["HS256"],
        typ: "at+jwt",
        issuer: publicUrl(),
        audience: publicUrl(),
        requiredClaims,
      };
      const result = await jwtVerify(presented, key, { ...expected, currentDate: new Date(now()) }).catch(
        () => undefined,
      );
      const { sub, sid, scope } = result?.payload ?? {};
      if (typeof sub !== "string" || typeof sid !== "string" || typeof scope !== "string") return undefined;
      return { userId: sub, familyId: sid, scope };
    },
  };
}
