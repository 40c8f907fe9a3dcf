// Logs in by a browser on this machine or another, renews and ends logins.
// Invariant: a new refresh token is on disk before the access token that came with it is used.

import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import type { ConfigFile } from "./config-file.js";
import { Failure } from "./failure.js";
import type { Io } from "./io.js";
import {
  authorizeUrl,
  type CodeRequest,
  checkLogin,
  createCodeRequest,
  exchangeCode,
  exchangeDevice,
  exchangeRefresh,
  OauthError,
  requestDevice,
  revoke,
  type Tokens,
} from "./oauth.js";
import { PAGE, printable, says, TEXT } from "./wording.js";

export interface LoginDeps {
  io: Io;
  config: ConfigFile;
  url: URL;
}

/** As long as a code of the server's login lives. */
const PATIENCE = 10 * 60_000;

/** Opens a page, and waits until the browser comes back to a port of this machine. */
export async function loginByBrowser({ io, url }: LoginDeps): Promise<Tokens> {
  const { createServer } = await import("node:http");
  const server = createServer();
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(0, "127.0.0.1", resolve));
  try {
    const { port } = server.address() as AddressInfo;
    const request = createCodeRequest(`http://127.0.0.1:${port}/callback`);
    const answer = awaitCode(server, request, AbortSignal.any([io.signal, AbortSignal.timeout(PATIENCE)]));
    const page = authorizeUrl(url, request);
    await explain(() => checkLogin(page, { url, ...io }));
    io.err(says.openThis(page));
    const shown = io.browse(page).then((isShown) => isShown || io.err(says.noBrowser()));
    const [code] = await Promise.all([answer, shown]);
    return await explain(() => exchangeCode(code, request, { url, ...io }));
  } finally {
    server.close();
    server.closeAllConnections();
  }
}

/** The code of the first answer that carries our state. */
function awaitCode(server: Server, { state }: CodeRequest, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    signal.addEventListener("abort", () => reject(timedOut(signal)), { once: true });
    server.on("request", (req: IncomingMessage, res: ServerResponse) => {
      const { pathname, searchParams } = new URL(req.url ?? "/", "http://127.0.0.1");
      if (req.method !== "GET" || pathname !== "/callback") return respond(res, 404, PAGE.nothing);
      if (searchParams.get("state") !== state) return respond(res, 400, PAGE.foreign);
      const code = searchParams.get("code");
      respond(res, 200, code ? PAGE.done : PAGE.refused);
      const reason = searchParams.get("error_description") ?? searchParams.get("error") ?? "no code";
      if (code) resolve(code);
      else reject(new Failure(says.loginRefused(printable(reason))));
    });
  });
}

function timedOut({ reason }: AbortSignal): Error {
  return reason?.name === "TimeoutError" ? new Failure(says.loginRefused("nobody confirmed it in time")) : reason;
}

function respond(res: ServerResponse, status: number, text: string): void {
  const headers = { "content-type": "text/html; charset=utf-8", "content-security-policy": "default-src 'none'" };
  res.writeHead(status, { ...headers, "cache-control": "no-store", connection: "close" });
  res.end(`<!doctype html><title>wrkst</title><p>${text}`);
}

/** Shows a code to be typed on another machine, and asks until it was (RFC 8628). */
export async function loginByDevice({ io, url }: LoginDeps): Promise<Tokens> {
  const deps = { url, ...io };
  const device = await explain(() => requestDevice(deps));
  io.err(says.typeCode(printable(device.verification_uri), printable(device.user_code)));
  if (device.verification_uri_complete) io.err(says.orOpen(printable(device.verification_uri_complete)));
  let seconds = device.interval ?? 5;
  for (;;) {
    await delay(seconds * 1000, undefined, { signal: io.signal });
    try {
      return await exchangeDevice(device.device_code, deps);
    } catch (error) {
      if (!(error instanceof OauthError)) throw error;
      if (error.code === "slow_down") seconds += 5;
      else if (error.code !== "authorization_pending") throw new Failure(says.loginRefused(error.message));
    }
  }
}

async function explain<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof OauthError ? new Failure(says.loginRefused(error.message), error.hint) : error;
  }
}

/**
 * The access token that follows the one seen; undefined where the login has ended. Of several processes one asks, and the
 * others take what it got: a refresh token that is used twice ends the login.
 */
export async function renewLogin(seen: string, { io, config, url }: LoginDeps): Promise<string | undefined> {
  const entryOf = (current: ReturnType<ConfigFile["read"]>) => current.servers[url.origin];
  if (!entryOf(config.read())?.login) return undefined;
  return config.update(async (current) => {
    const entry = entryOf(current);
    if (!entry?.login) return undefined;
    if (entry.login.access !== seen) return entry.login.access;
    try {
      entry.login = await exchangeRefresh(entry.login.refresh, { url, now: io.now });
      return entry.login.access;
    } catch (error) {
      if (!(error instanceof OauthError)) throw error;
      delete entry.login;
      io.err(says.warning(TEXT.loginEnded));
      return undefined;
    }
  });
}

/** Ends the login at the server and forgets it here, also when the server does not answer. */
export async function logout({ io, config, url }: LoginDeps): Promise<boolean> {
  const login = config.read().servers[url.origin]?.login;
  if (!login) return false;
  await config.update((current) => {
    delete current.servers[url.origin];
  });
  await explain(() => revoke(login.refresh, { url, ...io }));
  return true;
}
