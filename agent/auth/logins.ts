// A login on its way: from a client's request over the provider to the person's word. Invariant: every step is bound to the
// browser that began it, is used once, and lasts ten minutes (SECURITY.md A2, B9).

import { randomBytes } from "node:crypto";
import { WrkstError } from "../errors.js";
import type { AccessRecords, Login, LoginRequest } from "../model-access.js";
import { createOpaque, digestOf } from "./opaque.js";
import type { Provider } from "./provider.js";
import type { ActiveUser, Users } from "./users.js";

const LOGIN_LIFE = 600_000;
const CODE_LIFE = 60_000;

export interface Logins {
  /** Remembers the request and answers the provider's address. `browser` is the cookie's value. */
  begin(request: LoginRequest, browser: string): Promise<string>;
  /**
   * What the provider sent back. Answers the id of the confirmation, for its address.
   * @throws WrkstError ERR_INVALID for an unknown, used, expired or foreign state; ERR_FORBIDDEN, ERR_LOGIN_PROVIDER
   */
  finish(query: URLSearchParams, browser: string | undefined): Promise<{ confirmation: string; user: ActiveUser }>;
  /** What the person is asked, with a new token for the form. @throws WrkstError ERR_INVALID, ERR_FORBIDDEN */
  ask(confirmation: string, browser: string | undefined): Question;
  /** The person's word. @throws WrkstError ERR_INVALID, ERR_FORBIDDEN */
  decide(answer: Decision): Outcome;
}

export interface Question {
  request: LoginRequest;
  user: ActiveUser;
  /** Goes into the form. */
  form: string;
}

export interface Decision {
  confirmation: string;
  browser: string | undefined;
  form: string;
  allow: boolean;
}

export interface Outcome {
  user: ActiveUser;
  request: LoginRequest;
  /** Where the client waits; undefined for a device. */
  redirect: string | undefined;
}

export interface LoginsOptions {
  records: AccessRecords;
  provider: Provider;
  users: Users;
  /** Milliseconds since 1970. */
  now: () => number;
  /** Named in the answer to clients (RFC 9207). */
  publicUrl: () => string;
}

export function createLogins({ records, provider, users, now, publicUrl }: LoginsOptions): Logins {
  /** The login under the secret, if it is this browser's and in time. */
  function good(login: Login | undefined, browser: string | undefined): Login {
    const isOwn = login && browser !== undefined && login.browser === digestOf(browser);
    if (isOwn && login.expiresAt > now()) return login;
    throw new WrkstError("ERR_INVALID", "this login is over, was used before, or began in another browser", {
      hint: "begin again with the login command",
    });
  }

  function confirmable(login: Login): { login: Login; user: ActiveUser } {
    const user = login.userId === null ? undefined : users.active(login.userId);
    if (!user) throw new WrkstError("ERR_FORBIDDEN", "this user may not log in");
    return { login, user };
  }

  return {
    async begin(request, browser) {
      const checks = provider.createChecks();
      const url = await provider.authorizationUrl(checks);
      const { state, nonce, verifier } = checks;
      records.removeExpiredLogins(now() - LOGIN_LIFE);
      const expiresAt = now() + LOGIN_LIFE;
      const bound = { browser: digestOf(browser), request, expiresAt };
      records.addLogin(digestOf(state), { ...bound, nonce, verifier, userId: null, form: null });
      return url;
    },
    async finish(query, browser) {
      const state = query.get("state") ?? "";
      const digest = digestOf(state);
      // Looked at first: whoever learns the state in another browser must not end the login.
      good(records.login(digest), browser);
      const login = good(records.takeLogin(digest), browser);
      if (login.userId !== null) throw new WrkstError("ERR_INVALID", "expected the state of a login");
      const { nonce, verifier } = login;
      const user = users.admit(await provider.exchange(query, { state, nonce, verifier }));
      const confirmation = randomBytes(32).toString("base64url");
      const waiting = { ...login, expiresAt: now() + LOGIN_LIFE, nonce: "", verifier: "", userId: user.id, form: null };
      records.addLogin(digestOf(confirmation), waiting);
      return { confirmation, user };
    },
    ask(confirmation, browser) {
      const digest = digestOf(confirmation);
      const { login, user } = confirmable(good(records.login(digest), browser));
      const form = randomBytes(32).toString("base64url");
      records.transaction(() => {
        records.takeLogin(digest);
        records.addLogin(digest, { ...login, form: digestOf(form) });
      });
      return { request: login.request, user, form };
    },
    decide({ confirmation, browser, form, allow }) {
      const digest = digestOf(confirmation);
      const { login, user } = confirmable(good(records.login(digest), browser));
      if (login.form === null || login.form !== digestOf(form)) {
        throw new WrkstError("ERR_FORBIDDEN", "the form was not sent by the page of the platform", {
          hint: "load the page again",
        });
      }
      return records.transaction(() => {
        records.takeLogin(digest);
        const { request } = login;
        return {
          user,
          request,
          redirect: request.kind === "code" ? answer(request, user) : decideDevice(request, user),
        };
      });

      function answer(request: LoginRequest & { kind: "code" }, { id: userId }: ActiveUser): string {
        const url = new URL(request.redirectUri);
        if (allow) {
          const { secret, digest: code } = createOpaque("code");
          const { clientId, redirectUri, challenge, scope } = request;
          const granted = { userId, clientId, redirectUri, challenge, scope, familyId: null };
          records.addCode(code, { ...granted, expiresAt: now() + CODE_LIFE });
          url.searchParams.set("code", secret);
        } else {
          url.searchParams.set("error", "access_denied");
        }
        url.searchParams.set("state", request.state);
        url.searchParams.set("iss", publicUrl());
        return url.href;
      }

      function decideDevice({ userCode }: LoginRequest & { kind: "device" }, { id }: ActiveUser): undefined {
        records.decideDeviceCode(userCode, allow ? "approved" : "denied", id);
      }
    },
  };
}
