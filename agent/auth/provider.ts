// The OpenID provider, to which we are a client. Invariant: a person is known by a verified ID token alone: issuer, audience,
// expiry, nonce, signature, an algorithm of our list (SECURITY.md A2, A3). A provider that is down stops logins, not the start.

import * as client from "openid-client";
import { WrkstError } from "../errors.js";
import { isProviderUrl, type ProviderSettings } from "../model-access.js";
import { ALGORITHMS } from "./ci-tokens.js";
import type { Person } from "./users.js";

/** What binds an answer of the provider to its question. */
export interface Checks {
  state: string;
  nonce: string;
  /** Of PKCE S256. */
  verifier: string;
}

export interface Provider {
  readonly issuer: string;
  createChecks(): Checks;
  /** Where the browser goes. @throws WrkstError ERR_LOGIN_PROVIDER */
  authorizationUrl(checks: Checks): Promise<string>;
  /**
   * Who came back, from the query of the callback.
   * @throws WrkstError ERR_LOGIN_PROVIDER, ERR_FORBIDDEN when the provider or the person says no
   */
  exchange(query: URLSearchParams, checks: Checks): Promise<Person>;
}

/** Seconds until a request to the provider is given up. */
const TIMEOUT = 10;
const METADATA_LIFE = 600_000;

export interface ProviderOptions {
  settings: ProviderSettings;
  publicUrl: () => string;
  now: () => number;
}

export function createProvider({ settings, publicUrl, now }: ProviderOptions): Provider {
  const { issuer, endpoints } = settings;
  const redirectUri = () => settings.redirectUri ?? `${publicUrl()}/auth/callback`;
  let discovered: { metadata: client.ServerMetadata; at: number } | undefined;

  async function metadata(): Promise<client.ServerMetadata> {
    if (endpoints) return explicit(issuer, endpoints);
    if (!discovered || now() - discovered.at > METADATA_LIFE)
      discovered = { metadata: await discover(settings), at: now() };
    return discovered.metadata;
  }

  /** A new one for every login, so that its keys are those of now: providers change them. */
  async function configuration(authentication?: client.ClientAuth): Promise<client.Configuration> {
    const server = await metadata();
    const made = new client.Configuration(
      { ...server, id_token_signing_alg_values_supported: algorithmsOf(server) },
      settings.clientId,
      {},
      authentication ?? authenticationOf(settings, server),
    );
    made.timeout = TIMEOUT;
    client.enableNonRepudiationChecks(made);
    if (issuer.startsWith("http:")) client.allowInsecureRequests(made);
    return made;
  }

  return {
    issuer,
    createChecks: () => ({
      state: client.randomState(),
      nonce: client.randomNonce(),
      verifier: client.randomPKCECodeVerifier(),
    }),
    authorizationUrl: (checks) =>
      worded(issuer, async () => {
        const config = await configuration();
        const url = client.buildAuthorizationUrl(config, {
          redirect_uri: redirectUri(),
          scope: scopeOf(config.serverMetadata()),
          state: checks.state,
          nonce: checks.nonce,
          code_challenge: await client.calculatePKCECodeChallenge(checks.verifier),
          code_challenge_method: "S256",
        });
        return url.href;
      }),
    exchange: (query, checks) =>
      worded(issuer, async () => {
        const callback = new URL(redirectUri());
        callback.search = query.toString();
        const expected = {
          expectedState: checks.state,
          expectedNonce: checks.nonce,
          pkceCodeVerifier: checks.verifier,
        };
        const ask = (config: client.Configuration) =>
          client.authorizationCodeGrant(config, callback, { ...expected, idTokenExpected: true });
        let config = await configuration();
        const tokens = await ask(config).catch(async (error: unknown) => {
          // Which of the two ways a provider takes the secret in is the registration's choice, which nobody tells us.
          if (!(error instanceof client.ResponseBodyError) || error.error !== "invalid_client") throw error;
          if (settings.clientSecret === undefined) throw error;
          config = await configuration(client.ClientSecretPost(settings.clientSecret));
          return await ask(config);
        });
        return await personOf(issuer, config, tokens);
      }),
  };
}

async function discover({ issuer, clientId }: ProviderSettings): Promise<client.ServerMetadata> {
  const insecure = issuer.startsWith("http:") ? [client.allowInsecureRequests] : [];
  const found = await client.discovery(new URL(issuer), clientId, undefined, undefined, {
    execute: insecure,
    timeout: TIMEOUT,
  });
  const metadata = { ...found.serverMetadata() };
  const { authorization_endpoint, token_endpoint, jwks_uri } = metadata;
  for (const url of [authorization_endpoint, token_endpoint, jwks_uri]) {
    if (url === undefined || !isProviderUrl(url)) throw new Error("its discovery lacks an https endpoint");
  }
  return metadata;
}

function explicit(issuer: string, endpoints: NonNullable<ProviderSettings["endpoints"]>): client.ServerMetadata {
  return {
    issuer,
    authorization_endpoint: endpoints.authorization,
    token_endpoint: endpoints.token,
    userinfo_endpoint: endpoints.userinfo,
    jwks_uri: endpoints.jwks,
    id_token_signing_alg_values_supported: ALGORITHMS,
  };
}

function algorithmsOf({ id_token_signing_alg_values_supported: offered }: client.ServerMetadata): string[] {
  return (offered ?? ["RS256"]).filter((algorithm) => ALGORITHMS.includes(algorithm));
}

function authenticationOf({ clientSecret }: ProviderSettings, server: client.ServerMetadata): client.ClientAuth {
  if (clientSecret === undefined) return client.None();
  const methods = server.token_endpoint_auth_methods_supported ?? ["client_secret_basic"];
  return methods.includes("client_secret_basic")
    ? client.ClientSecretBasic(clientSecret)
    : client.ClientSecretPost(clientSecret);
}

/** `groups` only where it is known: some providers refuse what they do not know. */
function scopeOf({ scopes_supported: supported }: client.ServerMetadata): string {
  return supported?.includes("groups") ? "openid email profile groups" : "openid email profile";
}

/** Identity is the ID token's; what it does not say of address and groups is asked for, of the same subject. */
async function personOf(
  issuer: string,
  config: client.Configuration,
  tokens: client.TokenEndpointResponse & client.TokenEndpointResponseHelpers,
): Promise<Person> {
  const claims = tokens.claims();
  if (!claims) throw new Error("it sent no ID token");
  const isWhole = claims.email !== undefined && claims.groups !== undefined;
  const asks = !isWhole && config.serverMetadata().userinfo_endpoint !== undefined;
  const more = asks ? await client.fetchUserInfo(config, tokens.access_token, claims.sub) : {};
  const of = (name: string): Record<string, unknown> => (claims[name] === undefined ? more : claims);
  const email = text(of("email").email);
  const preferredUsername = text(of("preferred_username").preferred_username);
  return {
    issuer,
    subject: claims.sub,
    email,
    emailVerified: email !== null && of("email").email_verified === true,
    name: text(of("name").name) ?? preferredUsername ?? email ?? claims.sub,
    groups: strings(of("groups").groups),
    preferredUsername,
  };
}

function text(value: unknown): string | null {
  return typeof value === "string" && value !== "" ? value.slice(0, 300) : null;
}

function strings(value: unknown): string[] {
  const values = Array.isArray(value) ? value : [value];
  return values.filter((one): one is string => typeof one === "string").slice(0, 1000);
}

/** What the library throws may carry answers of the provider with tokens in them: its words are taken, nothing else. */
async function worded<T>(issuer: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof client.AuthorizationResponseError) {
      throw new WrkstError("ERR_FORBIDDEN", `the provider did not log you in: "${clip(error.error)}"`, {
        hint: "begin again with the login command",
      });
    }
    const reason = error instanceof Error ? clip(reasonOf(error)) : "unknown";
    throw new WrkstError("ERR_LOGIN_PROVIDER", `login by "${issuer}" does not work: ${reason}`, {
      hint: "try again in a moment; an administrator finds the settings under OIDC_ in the configuration",
    });
  }
}

function reasonOf(error: Error): string {
  if (error instanceof client.ResponseBodyError) return `${error.error} ${error.error_description ?? ""}`.trim();
  const { cause } = error;
  const code = cause instanceof Error && "code" in cause ? ` (${String(cause.code)})` : "";
  return `${error.message}${code}`;
}

function clip(words: string): string {
  return words.replace(/[^\x20-\x7e]/g, " ").slice(0, 200);
}
