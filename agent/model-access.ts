// What is remembered of people and their credentials: users, API tokens, logins on their way. Types, the closed lists
// of roles and scopes, and which addresses of a provider are talked to. Pure. No secret is ever part of these values: credentials are known by their digests.

/** admin: everything, on every account. deployer: reads `main`, reads and writes the own account. viewer: reads both. */
export const ROLES = ["admin", "deployer", "viewer"] as const;
export type Role = (typeof ROLES)[number];

/** What a credential is good for, beside the role of whoever holds it: the narrower of the two counts. */
export const SCOPES = ["read", "deploy", "git", "metrics", "admin"] as const;
export type Scope = (typeof SCOPES)[number];

/** Whether the address is on this machine: `localhost`, names under it, 127.0.0.0/8, ::1. */
export function isLoopbackUrl(raw: string): boolean {
  return /^(?:(?:.+\.)?localhost|127(?:\.\d+){3}|\[::1\])$/.test(new URL(raw).hostname);
}

/** Whether a provider may be talked to there: https, or http on this machine. */
export function isProviderUrl(raw: string): boolean {
  const url = URL.canParse(raw) ? new URL(raw) : undefined;
  if (!url || url.username || url.password || url.hash) return false;
  return url.protocol === "https:" || (url.protocol === "http:" && isLoopbackUrl(raw));
}

/** Who may log in, or is an administrator: everybody, or whoever a claim names. `*` in a pattern stands for a run of characters. */
export type PersonRule = { claim: "everybody" } | { claim: "email" | "group" | "sub"; pattern: string };

/** A CI issuer whose tokens are taken, and for what. */
export interface CiRule {
  /** URL, as the tokens' `iss` says it. */
  issuer: string;
  audience: string;
  /** Every one must match. `*` stands for a run without "/" and ":", `**` for any run. */
  claims: Record<string, string>;
  account: string;
  scopes: Scope[];
}

/** A redirect URI of the operator's; without client it is good for the clients that are known anyway. */
export interface ClientRedirect {
  clientId: string | undefined;
  uri: string;
}

/** The OpenID provider. */
export interface ProviderSettings {
  issuer: string;
  clientId: string;
  clientSecret: string | undefined;
  /** undefined: `/auth/callback` under the public address. */
  redirectUri: string | undefined;
  /** In place of discovery. */
  endpoints: { authorization: string; token: string; userinfo: string; jwks: string } | undefined;
}

/** What the operator says of access. */
export interface AccessSettings {
  provider: ProviderSettings | undefined;
  allow: PersonRule[];
  admins: PersonRule[];
  /** 32 bytes or more; undefined: generated. */
  jwtSecret: string | undefined;
  ciRules: CiRule[];
  redirects: ClientRedirect[];
}

/** What the provider said of a user at the last login. */
export interface Claims {
  issuer: string;
  subject: string;
  email: string | null;
  emailVerified: boolean;
  name: string;
  groups: string[];
}

export interface User extends Claims {
  id: string;
  account: string;
  /** Set by an administrator; null: what the rules say. */
  role: Role | null;
  disabled: boolean;
  /** Milliseconds since 1970, as everywhere here. */
  createdAt: number;
  lastLoginAt: number;
}

export interface ApiToken {
  id: string;
  name: string;
  /** `admin`, or the id of a user. */
  owner: string;
  /** Id of the token that made this one, and is revoked with it; null: made by a person. */
  parent: string | null;
  account: string;
  scopes: Scope[];
  createdAt: number;
  /** null: never. */
  expiresAt: number | null;
  lastUsedAt: number | null;
}

/** All tokens that go back to one login of one client. */
export interface TokenFamily {
  id: string;
  userId: string;
  clientId: string;
  /** As it was asked for: separated by spaces, unknown scopes included. */
  scope: string;
  createdAt: number;
}

export interface RefreshToken {
  familyId: string;
  used: boolean;
  expiresAt: number;
}

export interface AuthorizationCode {
  userId: string;
  clientId: string;
  redirectUri: string;
  /** S256. */
  challenge: string;
  scope: string;
  expiresAt: number;
  /** Of the tokens that it was exchanged for; null: not yet. */
  familyId: string | null;
}

export interface DeviceCode {
  /** Eight letters, without the hyphen that people see. */
  userCode: string;
  clientId: string;
  scope: string;
  /** Of who asked for it. */
  address: string;
  state: "pending" | "approved" | "denied";
  userId: string | null;
  expiresAt: number;
  /** Milliseconds since 1970; null: the device has not asked yet. */
  polledAt: number | null;
}

/** What the person is asked to confirm at the end of a login. */
export type LoginRequest =
  | { kind: "code"; clientId: string; redirectUri: string; state: string; challenge: string; scope: string }
  | { kind: "device"; clientId: string; scope: string; userCode: string };

/** A login on its way: first towards the provider, then, with a user, waiting for the person's word. */
export interface Login {
  /** Digest of the cookie that binds it to a browser. */
  browser: string;
  request: LoginRequest;
  expiresAt: number;
  /** Towards the provider. */
  nonce: string;
  verifier: string;
  /** Set once the provider has answered. */
  userId: string | null;
  /** Digest of the form's own token; null before the form. */
  form: string | null;
}

/** What `auth` asks of the registry. Digests are SHA-256 in hex. All calls are synchronous and durable. */
export interface AccessRecords {
  /** All or nothing. */
  transaction<T>(work: () => T): T;
  user(id: string): User | undefined;
  userBySubject(issuer: string, subject: string): User | undefined;
  /** By account. */
  users(): User[];
  isAccountTaken(account: string): boolean;
  addUser(user: User): void;
  /** Everything but id, issuer, subject, account and date of creation. */
  saveUser(user: User): void;

  apiToken(digest: string): ApiToken | undefined;
  /** Newest first; of one owner, or all. */
  apiTokens(owner?: string): ApiToken[];
  addApiToken(digest: string, token: ApiToken): void;
  /** With all that it made. */
  removeApiToken(id: string): void;
  touchApiToken(id: string, at: number): void;

  family(id: string): TokenFamily | undefined;
  addFamily(family: TokenFamily): void;
  /** With all its refresh tokens. */
  removeFamily(id: string): void;
  removeFamiliesOf(userId: string): void;
  refreshToken(digest: string): RefreshToken | undefined;
  addRefreshToken(digest: string, token: RefreshToken): void;
  useRefreshToken(digest: string): void;

  code(digest: string): AuthorizationCode | undefined;
  addCode(digest: string, code: AuthorizationCode): void;
  useCode(digest: string, familyId: string): void;

  deviceCode(digest: string): DeviceCode | undefined;
  deviceCodeOf(userCode: string): DeviceCode | undefined;
  addDeviceCode(digest: string, code: DeviceCode): void;
  pollDeviceCode(digest: string, at: number): void;
  decideDeviceCode(userCode: string, state: "approved" | "denied", userId: string): void;
  removeDeviceCode(digest: string): void;

  addLogin(digest: string, login: Login): void;
  /** Looks without taking. */
  login(digest: string): Login | undefined;
  /** Takes it away: a login is used once. */
  takeLogin(digest: string): Login | undefined;
  /** Forgets what has expired before. */
  removeExpiredLogins(before: number): void;
}
