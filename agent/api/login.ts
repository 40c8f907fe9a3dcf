// Login: the pages for people, and the token endpoints for clients (API.md §3). Invariant: a request that is not allowed is
// answered, never redirected (SECURITY.md A1); what changes something is bound to the browser and to its form (B9).

import { randomBytes } from "node:crypto";
import { parse as parseCookies, serialize as serializeCookie } from "cookie";
import { createAttempts } from "../auth/attempts.js";
import {
  ALL_SCOPES,
  type Auth,
  effectiveScopes,
  isScope,
  type Parameters,
  type Refusal,
  scopesOf,
} from "../auth/index.js";
import { behaviourOf, WrkstError } from "../errors.js";
import type { Log } from "../log.js";
import type { Actor, PlatformEvent } from "../model.js";
import type { LoginRequest } from "../model-access.js";
import { type Budget, readBody } from "./body.js";
import { confirmationPage, devicePage, messagePage, type Page } from "./login-pages.js";
import { foreseen } from "./problem.js";
import type { Call, Routes } from "./routes.js";

export type Audit = (event: Pick<PlatformEvent, "kind" | "message"> & { actor: Actor }) => void;

export interface LoginDeps {
  auth: Auth;
  audit: Audit;
  /** Origin without trailing slash. */
  publicUrl: () => string;
  log: Log;
  now?: () => number;
}

const COOKIE = "__Host-wrkst-login";
/** Seconds. */
const COOKIE_LIFE = 600;
const MAX_FORM = 16 * 2 ** 10;
/** Logins that one address may begin in a minute: each costs a place in the registry. */
const MOST_BEGUN = 300;

export function addLoginRoutes(routes: Routes, deps: LoginDeps): void {
  const begun = createAttempts({ limit: MOST_BEGUN, ...(deps.now ? { now: deps.now } : {}) });
  addPages(routes, deps, { begin: (call, request) => begin(deps, begun, call, request) });
  addEndpoints(routes, deps, begun);
}

const OPEN = { rule: "open", streams: true } as const;
type Begin = (call: Call, request: LoginRequest) => Promise<void>;

function addPages(routes: Routes, deps: LoginDeps, { begin }: { begin: Begin }): void {
  const { auth, audit, log } = deps;
  const add = (method: "GET" | "POST", path: string, summary: string, handle: (call: Call) => unknown) =>
    routes.add({ ...OPEN, method, path, summary }, (call) => answering(call, log, () => handle(call)));

  add("GET", "/oauth2/auth", "Begins the login of a client", (call) => begin(call, codeRequest(auth, call.req.query)));
  add("GET", "/.well-known/oauth-authorization-server", "What the login can do, for clients", (call) => {
    loginsOf(auth);
    call.res.json(metadataOf(deps.publicUrl()));
  });
  add("GET", "/auth/callback", "Where the provider sends people back to", async (call) => {
    const query = new URL(call.req.originalUrl, deps.publicUrl()).searchParams;
    const { confirmation, user } = await loginsOf(auth).finish(query, browserOf(call));
    audit({ kind: "user.logged-in", message: `"${user.account}" logged in`, actor: personActor(user, call) });
    call.res.redirect(303, `/oauth2/confirm?id=${confirmation}`);
  });
  add("GET", "/oauth2/confirm", "Asks the person", (call) => {
    const confirmation = String(call.req.query.id ?? "");
    const { request, user, form } = loginsOf(auth).ask(confirmation, browserOf(call));
    const client = auth.client(request.clientId);
    const device = request.kind === "device" ? auth.grants.deviceOf(request.userCode) : undefined;
    const shown = confirmationPage({
      clientName: client?.name ?? request.clientId,
      user,
      granted: effectiveScopes(user.role, scopesOf(request.scope)),
      redirect: request.kind === "code" ? request.redirectUri : undefined,
      landing: client?.landing,
      userCode: request.kind === "device" ? shownCode(request.userCode) : undefined,
      address: device?.address,
      fields: { id: confirmation, form },
    });
    sendPage(call, 200, shown);
  });
  add("POST", "/oauth2/confirm", "The person's word", async (call) => {
    refuseForeignForm(call, deps.publicUrl());
    const fields = await readForm(call);
    const allow = fields.decision === "allow";
    const word = { confirmation: fields.id ?? "", form: fields.form ?? "", browser: browserOf(call), allow };
    const { user, request, redirect } = loginsOf(auth).decide(word);
    const verb = allow ? "allowed" : "denied";
    const message = `"${user.account}" ${verb} the login of "${request.clientId}"`;
    audit({ kind: `login.${verb}`, message, actor: personActor(user, call) });
    if (redirect !== undefined) return call.res.redirect(303, redirect);
    const title = allow ? "The device is logged in" : "The device was refused";
    sendPage(call, 200, messagePage(title, "You can close this page."));
  });
  add("GET", "/device", "Where people type the code of a device", async (call) => {
    const typed = call.req.query.user_code;
    if (typeof typed !== "string" || typed === "") return sendPage(call, 200, devicePage(undefined));
    const device = auth.grants.deviceOf(typed.slice(0, 40));
    if (!device) {
      auth.countFailure(call.client.address);
      return sendPage(call, 400, devicePage("This code is not known, or has expired."));
    }
    const { clientId, scope, userCode } = device;
    await begin(call, { kind: "device", clientId, scope, userCode });
  });
}

/** RFC 8414. */
function metadataOf(issuer: string): object {
  return {
    issuer,
    authorization_endpoint: `${issuer}/oauth2/auth`,
    token_endpoint: `${issuer}/oauth2/token`,
    revocation_endpoint: `${issuer}/oauth2/revoke`,
    device_authorization_endpoint: `${issuer}/oauth2/device/auth`,
    response_types_supported: ["code"],
    grant_types_supported: ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"],
    code_challenge_methods_supported: ["S256"],
    token_endpoint_auth_methods_supported: ["none"],
    revocation_endpoint_auth_methods_supported: ["none"],
    scopes_supported: ALL_SCOPES.split(" "),
  };
}

async function begin(
  { auth }: LoginDeps,
  begun: ReturnType<typeof createAttempts>,
  call: Call,
  request: LoginRequest,
): Promise<void> {
  countBegun(begun, call);
  const known = browserOf(call);
  const browser = known !== undefined && /^[\w-]{43}$/.test(known) ? known : randomBytes(32).toString("base64url");
  const url = await loginsOf(auth).begin(request, browser);
  const rules = { path: "/", secure: true, httpOnly: true, sameSite: "lax", maxAge: COOKIE_LIFE } as const;
  call.res.setHeader("set-cookie", serializeCookie(COOKIE, browser, rules));
  call.res.redirect(302, url);
}

function countBegun(begun: ReturnType<typeof createAttempts>, { client }: Call): void {
  if (begun.exhausted(client.address)) {
    throw new WrkstError("ERR_RATE_LIMITED", "too many logins begun from this address", { hint: "wait a minute" });
  }
  begun.failed(client.address);
}

/** @throws WrkstError ERR_UNSUPPORTED */
function loginsOf({ logins }: Auth) {
  if (logins) return logins;
  throw new WrkstError("ERR_UNSUPPORTED", "login is not set up here: there is no OpenID provider", {
    hint: "use a token: the administrator's lies in DATA_DIR/secrets/admin-token; or set OIDC_ISSUER",
  });
}

function browserOf({ req }: Call): string | undefined {
  return parseCookies(req.headers.cookie ?? "")[COOKIE];
}

/** @throws WrkstError ERR_INVALID for whatever may not be answered with a redirect */
function codeRequest(auth: Auth, query: Record<string, unknown>): LoginRequest {
  const { client_id, redirect_uri, state, code_challenge: challenge, response_type: type = "code" } = query;
  const client = auth.client(client_id);
  if (!client) throw invalid('"client_id": expected the id of a known client');
  if (!auth.mayRedirect(client, redirect_uri)) {
    throw invalid('"redirect_uri": expected a loopback address with the path "/callback" or "/oauth/callback"');
  }
  if (typeof state !== "string" || state === "" || state.length > 1000) throw invalid('"state": expected a value');
  if (query.code_challenge_method !== "S256") throw invalid('"code_challenge_method": expected "S256"');
  if (typeof challenge !== "string" || !/^[\w-]{43}$/.test(challenge)) {
    throw invalid('"code_challenge": expected a SHA-256 in base64url');
  }
  if (type !== "code") throw invalid('"response_type": expected "code"');
  const scope = scopeOf(query.scope);
  return { kind: "code", clientId: client.id, redirectUri: redirect_uri, state, challenge, scope };
}

/** Echoed as it was asked for; nothing asked for is everything that the role allows. */
function scopeOf(raw: unknown): string {
  if (raw === undefined || raw === "") return ALL_SCOPES;
  if (typeof raw === "string" && isScope(raw)) return raw;
  throw invalid('"scope": expected words with single spaces between them');
}

function invalid(message: string): WrkstError {
  return new WrkstError("ERR_INVALID", message);
}

/** A form of another site: browsers say where it comes from. The form's own token is checked besides. */
function refuseForeignForm({ req }: Call, publicUrl: string): void {
  const { origin, "sec-fetch-site": site } = req.headers;
  const isForeign = (origin !== undefined && origin !== publicUrl) || (site !== undefined && site !== "same-origin");
  if (isForeign) throw new WrkstError("ERR_FORBIDDEN", "the form was sent by another site");
}

function personActor({ name, email }: { name: string; email: string | null }, { client }: Call): Actor {
  return { name, email, credential: "login", address: client.address };
}

function shownCode(userCode: string): string {
  return `${userCode.slice(0, 4)}-${userCode.slice(4)}`;
}

/** Errors of pages: HTML for browsers, otherwise the JSON of OAuth. */
async function answering(call: Call, log: Log, handle: () => unknown): Promise<void> {
  try {
    await handle();
  } catch (thrown) {
    const error = foreseen(thrown);
    if (!error) throw thrown;
    if (error.code === "ERR_LOGIN_PROVIDER") {
      log.warn({ err: { code: error.code, message: error.message } }, "login failed");
    }
    sendLoginError(call, error);
  }
}

/** Whether people and clients of the login ask there, who understand no problem document. */
export function isOfLogin(path: string): boolean {
  return /^\/(?:oauth2|auth|device|\.well-known)(?:\/|$)/.test(path);
}

/** As a page for browsers, in the form of OAuth (RFC 6749 5.2) for clients. */
export function sendLoginError({ req, res }: Pick<Call, "req" | "res">, error: WrkstError): void {
  const { status } = behaviourOf(error.code);
  if (status === 429 && !res.hasHeader("retry-after")) res.setHeader("retry-after", "60");
  if (req.accepts(["json", "html"]) === "html") {
    sendPage({ res }, status, messagePage("This did not work", error.message, error.hint));
  } else {
    res.status(status).json({ error: oauthError(error), error_description: error.message, hint: error.hint });
  }
}

function oauthError({ code }: WrkstError): string {
  if (code === "ERR_FORBIDDEN") return "access_denied";
  if (code === "ERR_INVALID" || code === "ERR_TOO_LARGE") return "invalid_request";
  if (code === "ERR_NO_ROUTE" || code === "ERR_NOT_FOUND") return "invalid_request";
  return code === "ERR_UNSUPPORTED" ? "login_not_set_up" : "temporarily_unavailable";
}

function sendPage({ res }: Pick<Call, "res">, status: number, { html, headers }: Page): void {
  res.status(status).set(headers).send(html);
}

function addEndpoints(routes: Routes, { auth, audit, log }: LoginDeps, begun: ReturnType<typeof createAttempts>): void {
  const add = (path: string, summary: string, handle: (call: Call, fields: Parameters) => Promise<unknown>) =>
    routes.add({ ...OPEN, method: "POST", path, summary }, (call) =>
      answering(call, log, async () => {
        const fields = await readForm(call);
        const answer = await handle(call, fields);
        if (!call.res.headersSent) call.res.json(answer ?? {});
      }),
    );

  add("/oauth2/token", "Tokens for a code, a refresh token or a device code", async (call, fields) => {
    const outcome = await auth.grants.exchange(fields);
    if ("error" in outcome) return refuse(call, outcome);
    const { tokens, user, family } = outcome;
    const credential = `access-token:${family.id}`;
    const { address } = call.client;
    if (fields.refresh_token === undefined) {
      const actor = { name: user.name, email: user.email, credential, address };
      audit({ kind: "login.done", message: `"${family.clientId}" acts for "${user.account}"`, actor });
    }
    return tokens;
  });
  add("/oauth2/revoke", "Ends a login", async (call, fields) => {
    const family = await auth.grants.revoke(fields);
    if (!family) return undefined;
    const actor = { name: family.userId, email: null, credential: `access-token:${family.id}` };
    const message = `the login of "${family.clientId}" was ended`;
    audit({ kind: "login.ended", message, actor: { ...actor, address: call.client.address } });
    return undefined;
  });
  add("/oauth2/device/auth", "Begins the login of a device", async (call, fields) => {
    loginsOf(auth);
    countBegun(begun, call);
    const answer = auth.grants.beginDevice({ ...fields, scope: scopeOf(fields.scope) }, call.client.address);
    return "error" in answer ? refuse(call, answer) : answer;
  });

  function refuse({ res, client }: Call, { error, description, isGuess }: Refusal): undefined {
    if (isGuess) auth.countFailure(client.address);
    res.status(400).json({ error, error_description: description });
  }
}

const budget: Budget = { left: 4 * 2 ** 20 };

/** A form, or JSON of texts. @throws WrkstError ERR_INVALID, ERR_TOO_LARGE */
async function readForm({ req }: Call): Promise<Parameters> {
  const bytes = await readBody(req, { size: MAX_FORM, time: 15_000, budget }, () => undefined);
  const text = bytes.toString("utf8");
  const pairs = req.is("json") ? Object.entries(parseObject(text)) : [...new URLSearchParams(text)];
  const fields: Record<string, string> = Object.create(null);
  for (const [name, value] of pairs) {
    if (name in fields) throw invalid(`"${name}": expected once, received twice`);
    if (typeof value !== "string") throw invalid(`"${name}": expected text`);
    // RFC 6749 3.2: a parameter without a value counts as left out.
    if (value !== "") fields[name] = value;
  }
  return fields;
}

function parseObject(text: string): object {
  try {
    const value: unknown = JSON.parse(text);
    if (value !== null && typeof value === "object") return value;
  } catch {
    // Told below.
  }
  throw invalid("expected a form, or an object of JSON");
}
