// A real OpenID provider (oidc-provider) on loopback, and a person who logs in there. For tests only.
//
// Usage:
//   const provider = await startProvider({ redirectUri: `${publicUrl}/auth/callback`, people: { ann: { email: … } } });
//   const agent = await startAgent({ port, env: { ...provider.environment, OIDC_ALLOW: "email:*@example.com" } });
//   const tokens = await logIn({ publicUrl, person: "ann" });   // as a client with PKCE would: access_token, refresh_token
//   await provider.close();
// Every name is a person who can log in; `people` adds claims. `provider.forge` changes ID tokens on their way (they are
// signed again), `provider.rotateKeys()` replaces the provider's keys, `provider.stop()` and `start()` take it away.

import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { decodeJwt, decodeProtectedHeader, exportJWK, generateKeyPair, importJWK, type JWK, SignJWT } from "jose";
import { Provider } from "oidc-provider";
import type { ProviderSettings } from "../../model-access.js";
import { Browser, type Page } from "./browser.js";

export interface PersonClaims {
  email?: string;
  email_verified?: boolean;
  name?: string;
  preferred_username?: string;
  groups?: string[];
}

export interface ProviderOptions {
  /** Where the platform waits: `<PUBLIC_URL>/auth/callback`. */
  redirectUri: string;
  people?: Record<string, PersonClaims>;
  /** E-mail and groups are in the ID token; otherwise only in the answer of userinfo. */
  claimsInIdToken?: boolean;
  /** How the client shows its secret; `none` has no secret. */
  authentication?: "client_secret_basic" | "client_secret_post" | "none";
}

export interface Forged {
  claims: Record<string, unknown>;
  header: { alg: string; kid?: string; [name: string]: unknown };
  /** Sign with another key than the provider's. */
  key?: Parameters<SignJWT["sign"]>[0];
}

export interface TestProvider {
  readonly issuer: string;
  readonly settings: ProviderSettings;
  /** `OIDC_ISSUER`, `OIDC_CLIENT_ID` and, if there is one, `OIDC_CLIENT_SECRET`. */
  readonly environment: Record<string, string>;
  /** Changes the ID token of every answer from now on. */
  forge: ((token: Forged) => Forged) | undefined;
  /** What was asked of it: method and path. */
  readonly requests: string[];
  rotateKeys(): Promise<void>;
  stop(): Promise<void>;
  start(): Promise<void>;
  close(): Promise<void>;
}

export async function startProvider(options: ProviderOptions): Promise<TestProvider> {
  const cookieKeys = [randomBytes(16).toString("hex")];
  firstKey ??= newKey();
  let key = await firstKey;
  let handle: (req: IncomingMessage, res: ServerResponse) => void = () => undefined;
  const requests: string[] = [];
  const listen = async (port: number) => {
    const server = createServer((req, res) => {
      requests.push(`${req.method} ${req.url?.split("?")[0]}`);
      const forge = provider.forge;
      if (forge && req.url?.startsWith("/token")) alterAnswer(res, (body) => forgeAnswer(body, key, forge));
      handle(req, res);
    });
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
    return server;
  };
  let server = await listen(0);
  const { port } = server.address() as AddressInfo;
  const issuer = `http://127.0.0.1:${port}`;
  const { authentication = "client_secret_basic" } = options;
  const secret = authentication === "none" ? undefined : "a client's secret: with signs + % &";
  const install = () => {
    handle = new Provider(
      issuer,
      configuration({ ...options, authentication }, { key, cookieKeys, secret }),
    ).callback();
  };
  install();
  const provider: TestProvider = {
    issuer,
    settings: { issuer, clientId: "wrkst-server", clientSecret: secret, redirectUri: undefined, endpoints: undefined },
    environment: {
      OIDC_ISSUER: issuer,
      OIDC_CLIENT_ID: "wrkst-server",
      ...(secret === undefined ? {} : { OIDC_CLIENT_SECRET: secret }),
    },
    forge: undefined,
    requests,
    async rotateKeys() {
      key = await newKey();
      install();
    },
    async stop() {
      if (!server.listening) return;
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
    async start() {
      server = await listen(port);
    },
    close: () => provider.stop(),
  };
  return provider;
}

/** Making one costs a tenth of a second, so that the providers of one process begin with the same. */
let firstKey: Promise<JWK> | undefined;

async function newKey(): Promise<JWK> {
  const { privateKey } = await generateKeyPair("RS256", { extractable: true });
  return { ...(await exportJWK(privateKey)), kid: randomBytes(6).toString("hex"), alg: "RS256", use: "sig" };
}

function configuration(
  { redirectUri, people = {}, claimsInIdToken = false, authentication }: ProviderOptions,
  { key, cookieKeys, secret }: { key: JWK; cookieKeys: string[]; secret: string | undefined },
): Record<string, unknown> {
  const client = {
    client_id: "wrkst-server",
    redirect_uris: [redirectUri],
    token_endpoint_auth_method: authentication,
  };
  return {
    clients: [{ ...client, ...(secret === undefined ? {} : { client_secret: secret }) }],
    jwks: { keys: [key] },
    cookies: { keys: cookieKeys },
    claims: {
      openid: ["sub"],
      email: ["email", "email_verified"],
      profile: ["name", "preferred_username"],
      groups: ["groups"],
    },
    conformIdTokenClaims: !claimsInIdToken,
    ttl: { AccessToken: 600, AuthorizationCode: 60, IdToken: 600, Interaction: 600, Session: 600, Grant: 600 },
    pkce: { required: () => true },
    findAccount: (_: unknown, id: string) => ({
      accountId: id,
      claims: () => ({ sub: id, ...(people[id] ?? { email: `${id}@example.com`, email_verified: true }) }),
    }),
  };
}

/** Holds an answer back, and sends what `alter` makes of it. */
function alterAnswer(res: ServerResponse, alter: (body: string) => Promise<string>): void {
  const end = res.end.bind(res);
  res.end = ((chunk?: unknown) => {
    alter(typeof chunk === "string" || Buffer.isBuffer(chunk) ? String(chunk) : "").then((body) => {
      res.setHeader("content-length", Buffer.byteLength(body));
      end(body);
    });
    return res;
  }) as ServerResponse["end"];
}

async function forgeAnswer(body: string, jwk: JWK, forge: (token: Forged) => Forged): Promise<string> {
  const answer = JSON.parse(body) as { id_token?: string };
  if (!answer.id_token) return body;
  const header = decodeProtectedHeader(answer.id_token) as Forged["header"];
  const forged = forge({ claims: decodeJwt(answer.id_token), header });
  const key = forged.key ?? ((await importJWK(jwk, "RS256")) as Parameters<SignJWT["sign"]>[0]);
  const id_token = await new SignJWT(forged.claims).setProtectedHeader(forged.header).sign(key);
  return JSON.stringify({ ...answer, id_token });
}

/** Goes from our address over the provider's pages, as that person, to our question; the browser then shows it. */
export async function logInAtProvider(browser: Browser, url: string | URL, person: string): Promise<Page> {
  let page = await browser.open(url);
  for (let steps = 0; steps < 3 && /\/interaction\//.test(page.url.pathname); steps++) {
    const isLogin = /name="login"/.test(page.text);
    page = await browser.submit(page, isLogin ? { login: person, password: "any" } : {});
  }
  return page;
}

export interface LoginOptions {
  publicUrl: string;
  person: string;
  clientId?: string;
  redirectUri?: string;
  scope?: string;
  browser?: Browser;
}

export interface LoggedIn {
  access_token: string;
  refresh_token: string;
  token_type: string;
  expires_in: number;
  scope: string;
}

export interface CodeAnswer {
  code: string;
  verifier: string;
  /** The whole query that the client's redirect page gets. */
  query: URLSearchParams;
}

/** The address that a client opens in the browser. */
export function authorizationUrl(options: LoginOptions, verifier: string, more: Record<string, string> = {}): URL {
  const { publicUrl, clientId = "wrkst", redirectUri = REDIRECT, scope } = options;
  const url = new URL(`${publicUrl}/oauth2/auth`);
  const fixed = { response_type: "code", client_id: clientId, redirect_uri: redirectUri, state: "state-of-the-client" };
  const pkce = { code_challenge: challengeOf(verifier), code_challenge_method: "S256" };
  for (const [name, value] of Object.entries({ ...fixed, ...pkce, ...(scope ? { scope } : {}), ...more })) {
    url.searchParams.set(name, value);
  }
  return url;
}

const REDIRECT = "http://127.0.0.1:8976/callback";

export function challengeOf(verifier: string): string {
  return createHash("sha256").update(verifier).digest("base64url");
}

/** Logs in and allows; stops where the client would get its code. */
export async function getCode(options: LoginOptions): Promise<CodeAnswer> {
  const { redirectUri = REDIRECT, browser = new Browser((url) => url.href.startsWith(redirectUri)) } = options;
  const verifier = randomBytes(32).toString("base64url");
  const question = await logInAtProvider(browser, authorizationUrl(options, verifier), options.person);
  if (question.status !== 200) throw new Error(`${question.status} ${question.url}: ${question.text}`);
  const { url, status, text } = await browser.submit(question, { decision: "allow" });
  if (status !== 0) throw new Error(`${status} ${url}: ${text}`);
  return { code: url.searchParams.get("code") ?? "", verifier, query: url.searchParams };
}

/** The whole login of a client, over the provider's pages and ours. */
export async function logIn(options: LoginOptions): Promise<LoggedIn> {
  const { code, verifier } = await getCode(options);
  const { publicUrl, clientId = "wrkst", redirectUri = REDIRECT } = options;
  const fields = { grant_type: "authorization_code", code, client_id: clientId, code_verifier: verifier };
  const answer = await fetch(`${publicUrl}/oauth2/token`, {
    method: "POST",
    body: new URLSearchParams({ ...fields, redirect_uri: redirectUri }),
  });
  if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
  return (await answer.json()) as LoggedIn;
}
