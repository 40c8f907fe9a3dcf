// The server's OAuth endpoints as a public client uses them: code with PKCE, refresh, revocation, device grant (API.md §3).
// Invariant: no request follows a redirect.

import { createHash, randomBytes } from "node:crypto";
import { parseJson, reasonOf } from "./client.js";
import { Failure } from "./failure.js";
import { printable, says, TEXT } from "./wording.js";

const CLIENT_ID = "wrkst";
const SCOPE = "read deploy git admin";
const DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code";

export interface Tokens {
  access: string;
  refresh: string;
  /** Milliseconds since 1970. */
  expiresAt: number;
}

/** One login by a browser: what is sent along and what must come back (RFC 7636, RFC 8252). */
export interface CodeRequest {
  state: string;
  verifier: string;
  redirect: string;
}

export interface DeviceCode {
  device_code: string;
  user_code: string;
  verification_uri: string;
  verification_uri_complete?: string;
  /** Seconds. */
  expires_in: number;
  /** Seconds between two questions. */
  interval?: number;
}

export interface OauthDeps {
  url: URL;
  now: () => number;
  signal?: AbortSignal;
}

/** An answer of RFC 6749 §5.2. */
export class OauthError extends Error {
  readonly code: string;
  readonly hint: string | undefined;
  constructor(code: string, description: string, hint: string | undefined) {
    super(description);
    this.code = code;
    this.hint = hint;
  }
}

export function createCodeRequest(redirect: string): CodeRequest {
  const random = () => randomBytes(32).toString("base64url");
  return { state: random(), verifier: random(), redirect };
}

export function authorizeUrl(url: URL, { state, verifier, redirect }: CodeRequest): string {
  const target = new URL("/oauth2/auth", url);
  target.search = new URLSearchParams({
    response_type: "code",
    client_id: CLIENT_ID,
    redirect_uri: redirect,
    scope: SCOPE,
    state,
    code_challenge: createHash("sha256").update(verifier).digest("base64url"),
    code_challenge_method: "S256",
  }).toString();
  return target.href;
}

/** Asks for the page before a browser does: where there is no login, the reason is told here. @throws OauthError, Failure */
export async function checkLogin(page: string, deps: OauthDeps): Promise<void> {
  const response = await send(page, { headers: { accept: "application/json" } }, deps);
  const text = await response.text();
  if (response.status >= 400) throw refusalOf(text, response.status, deps);
}

export function exchangeCode(code: string, { verifier, redirect }: CodeRequest, deps: OauthDeps): Promise<Tokens> {
  return askTokens({ grant_type: "authorization_code", code, redirect_uri: redirect, code_verifier: verifier }, deps);
}

export function exchangeRefresh(refresh: string, deps: OauthDeps): Promise<Tokens> {
  return askTokens({ grant_type: "refresh_token", refresh_token: refresh }, deps);
}

export function exchangeDevice(device: string, deps: OauthDeps): Promise<Tokens> {
  return askTokens({ grant_type: DEVICE_GRANT, device_code: device }, deps);
}

export async function requestDevice(deps: OauthDeps): Promise<DeviceCode> {
  const answer = await post<DeviceCode>("/oauth2/device/auth", { scope: SCOPE }, deps);
  if (typeof answer.device_code === "string" && typeof answer.user_code === "string") return answer;
  throw new Failure(says.noApi(deps.url.origin, 200), TEXT.isItWrkst);
}

export async function revoke(refresh: string, deps: OauthDeps): Promise<void> {
  await post("/oauth2/revoke", { token: refresh, token_type_hint: "refresh_token" }, deps);
}

interface TokenAnswer {
  access_token?: unknown;
  refresh_token?: unknown;
  expires_in?: unknown;
}

async function askTokens(form: Record<string, string>, deps: OauthDeps): Promise<Tokens> {
  const asked = deps.now();
  const answer = await post<TokenAnswer>("/oauth2/token", form, deps);
  const { access_token: access, refresh_token: refresh, expires_in: seconds } = answer;
  if (typeof access !== "string" || typeof refresh !== "string") {
    throw new Failure(says.noApi(deps.url.origin, 200), TEXT.isItWrkst);
  }
  return { access, refresh, expiresAt: asked + (typeof seconds === "number" ? seconds : 0) * 1000 };
}

/** @throws OauthError for what the server refuses, Failure for everything else */
async function post<T>(path: string, form: Record<string, string>, deps: OauthDeps): Promise<T> {
  const body = new URLSearchParams({ client_id: CLIENT_ID, ...form });
  const response = await send(path, { method: "POST", headers: { accept: "application/json" }, body }, deps);
  const text = await response.text();
  const answer = parseJson(text);
  if (response.ok && (answer !== undefined || text === "")) return (answer ?? {}) as T;
  throw refusalOf(text, response.status, deps);
}

function send(path: string, init: RequestInit, { url, signal }: OauthDeps): Promise<Response> {
  const limit = AbortSignal.timeout(30_000);
  const either = signal ? AbortSignal.any([signal, limit]) : limit;
  return fetch(new URL(path, url), { ...init, redirect: "manual", signal: either }).catch((error) => {
    throw signal?.aborted ? error : new Failure(says.unreachable(url.origin, reasonOf(error)), TEXT.isItRunning);
  });
}

function refusalOf(text: string, status: number, { url }: OauthDeps): OauthError | Failure {
  const { error, error_description: description, hint } = (parseJson(text) ?? {}) as Record<string, unknown>;
  if (typeof error !== "string") return new Failure(says.noLogin(url.origin, status), TEXT.noLogin);
  const sentence = printable(typeof description === "string" ? description : error);
  return new OauthError(error, sentence, typeof hint === "string" ? printable(hint) : undefined);
}
