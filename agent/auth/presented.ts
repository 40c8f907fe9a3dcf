// The token in an Authorization header. Pure.

/** Takes `Bearer <token>`, and `Basic` with any user name and the token as password. */
export function presentedToken(authorization: string | undefined): string | undefined {
  const [, scheme = "", credentials = ""] = /^(\w+) +(\S+) *$/.exec(authorization ?? "") ?? [];
  if (scheme.toLowerCase() === "bearer") return credentials;
  if (scheme.toLowerCase() !== "basic") return undefined;
  const pair = Buffer.from(credentials, "base64").toString("utf8");
  const colon = pair.indexOf(":");
  return colon < 0 ? undefined : pair.slice(colon + 1);
}
