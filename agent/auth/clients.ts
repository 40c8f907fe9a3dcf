// The clients of our authorization server: who they are, where they may be sent back to, what they may ask for. Pure.

import { type ClientRedirect, SCOPES, type Scope } from "../model-access.js";

export interface Client {
  id: string;
  /** For the page of confirmation. */
  name: string;
  /** Where its own redirect page sends the browser on: the form's policy must let it. */
  landing?: string;
}

const CLIENTS: readonly Client[] = [
  { id: "wrkst", name: "wrkst" },
  // The id that the stock client is built with (WRANGLER_CLIENT_ID).
  {
    id: "54d11594-84e4-41aa-b438-e81b8fa78ee7",
    name: "wrangler",
    landing: "https://welcome.developers.workers.dev",
  },
];

export function clientOf(id: unknown, redirects: readonly ClientRedirect[]): Client | undefined {
  if (typeof id !== "string") return undefined;
  const own = redirects.some(({ clientId }) => clientId === id) ? { id, name: id } : undefined;
  return CLIENTS.find((client) => client.id === id) ?? own;
}

/** Loopback, any port, fixed paths (RFC 8252 7.3); compared as it was written, so that no parser is asked. */
const LOOPBACK = /^http:\/\/(?:127\.0\.0\.1|\[::1\]|localhost)(?::([1-9]\d{0,4}))?\/(?:oauth\/)?callback$/;

/** Whether the client may be sent back there (SECURITY.md A1). */
export function mayRedirect(client: Client, uri: unknown, redirects: readonly ClientRedirect[]): uri is string {
  if (typeof uri !== "string") return false;
  const loopback = LOOPBACK.exec(uri);
  if (loopback) return Number(loopback[1] ?? 80) <= 65_535;
  return redirects.some((one) => one.uri === uri && (one.clientId ?? client.id) === client.id);
}

/** What wrangler asks for, in our words. Scopes that are not here are echoed and grant nothing. */
const CLOUDFLARE: Record<string, Scope> = {
  "account:read": "read",
  "user:read": "read",
  "zone:read": "read",
  "workers_tail:read": "read",
  "workers:write": "deploy",
  "workers_scripts:write": "deploy",
  "workers_routes:write": "deploy",
  "d1:write": "deploy",
};

/** Whether the text can be a list of scopes (RFC 6749 3.3). */
export function isScope(text: string): boolean {
  return text.length <= 2000 && /^[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*$/.test(text);
}

/** What the scopes asked for grant, the role of the user apart. */
export function scopesOf(scope: string): Scope[] {
  const granted = new Set<string>(
    scope.split(" ").map((one) => (Object.hasOwn(CLOUDFLARE, one) ? CLOUDFLARE[one]! : one)),
  );
  return SCOPES.filter((known) => granted.has(known));
}

/** For who asks for nothing: everything that the role allows. */
export const ALL_SCOPES: string = SCOPES.join(" ");
