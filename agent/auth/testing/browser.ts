// A browser for tests: follows redirects and submits forms, with the cookie rules of browsers (RFC 6265bis). For tests only.
//
// Usage: `const page = await browser.open(url)`; `page.url`, `page.status`, `page.text`; `await browser.submit(page, {…})` sends
// the page's form with its hidden fields, the given ones added. Redirects to the origins in `stopAt` are not followed: the
// page's `url` is then where the browser would go, its status 0.

export interface Page {
  url: URL;
  status: number;
  headers: Headers;
  text: string;
}

interface Cookie {
  name: string;
  value: string;
  host: string;
  hostOnly: boolean;
  path: string;
  secure: boolean;
  httpOnly: boolean;
  sameSite: string;
}

export class Browser {
  readonly cookies: Cookie[] = [];
  /** Every `Set-Cookie` that was refused, with the reason. */
  readonly refused: string[] = [];
  stopAt: (url: URL) => boolean;

  constructor(stopAt: (url: URL) => boolean = () => false) {
    this.stopAt = stopAt;
  }

  async open(url: string | URL, init: RequestInit = {}): Promise<Page> {
    let target = new URL(url);
    let request = init;
    for (let hops = 0; hops < 20; hops++) {
      const page = await this.#send(target, request);
      const location = page.headers.get("location");
      if (page.status < 300 || page.status > 399 || location === null) return page;
      target = new URL(location, target);
      if (this.stopAt(target)) return { ...page, url: target, status: 0 };
      request = {};
    }
    throw new Error(`too many redirects: ${target}`);
  }

  /** Sends the page's first form. `fields` with undefined leave a field out. */
  submit(
    page: Page,
    fields: Record<string, string | undefined> = {},
    headers: Record<string, string> = {},
  ): Promise<Page> {
    const { action, method, values } = formOf(page);
    const sent = new URLSearchParams();
    for (const [name, value] of Object.entries({ ...values, ...fields }))
      if (value !== undefined) sent.set(name, value);
    if (method === "get") return this.open(new URL(`?${sent}`, action));
    const origin = { origin: page.url.origin, "sec-fetch-site": "same-origin" };
    return this.open(action, { method: "POST", body: sent, headers: { ...origin, ...headers } });
  }

  async #send(url: URL, init: RequestInit): Promise<Page> {
    const headers = new Headers(init.headers);
    headers.set("accept", "text/html,*/*;q=0.8");
    const cookies = this.cookies.filter((cookie) => isSent(cookie, url));
    if (cookies.length) headers.set("cookie", cookies.map(({ name, value }) => `${name}=${value}`).join("; "));
    const answer = await fetch(url, { ...init, headers, redirect: "manual" });
    for (const line of answer.headers.getSetCookie()) this.set(line, url);
    return { url, status: answer.status, headers: answer.headers, text: await answer.text() };
  }

  /** Takes a `Set-Cookie` of that address as a browser would. */
  set(line: string, from: URL): void {
    const [pair = "", ...attributes] = line.split(/; */);
    const at = pair.indexOf("=");
    const rules = new Map(attributes.map((one) => [one.split("=")[0]!.toLowerCase(), one.split("=")[1] ?? ""]));
    const domain = rules.get("domain")?.replace(/^\./, "").toLowerCase();
    const cookie: Cookie = {
      name: pair.slice(0, at),
      value: pair.slice(at + 1),
      host: domain || from.hostname,
      hostOnly: !domain,
      path: rules.get("path") || from.pathname.replace(/\/[^/]*$/, "") || "/",
      secure: rules.has("secure"),
      httpOnly: rules.has("httponly"),
      sameSite: rules.get("samesite")?.toLowerCase() ?? "lax",
    };
    const reason = refusalOf(cookie, from);
    if (reason) return void this.refused.push(`${cookie.name}: ${reason}`);
    const old = this.cookies.findIndex(
      ({ name, host, path }) => name === cookie.name && host === cookie.host && path === cookie.path,
    );
    if (old >= 0) this.cookies.splice(old, 1);
    const isOver = rules.get("max-age") === "0" || Date.parse(rules.get("expires") ?? "") < Date.now();
    if (!isOver) this.cookies.push(cookie);
  }
}

/** Browsers take loopback for a secure place (W3C Secure Contexts 3.1). */
function isSecure({ protocol, hostname }: URL): boolean {
  return protocol === "https:" || /^(?:(?:.+\.)?localhost|127(?:\.\d+){3}|\[::1\])$/.test(hostname);
}

function refusalOf(cookie: Cookie, from: URL): string | undefined {
  if (cookie.secure && !isSecure(from)) return "Secure from an insecure place";
  if (!cookie.hostOnly && !within(from.hostname, cookie.host)) return "of a foreign domain";
  if (!cookie.name.startsWith("__Host-")) return undefined;
  return cookie.secure && cookie.hostOnly && cookie.path === "/"
    ? undefined
    : "__Host- without Secure, Path=/, or with Domain";
}

function isSent({ host, hostOnly, path, secure }: Cookie, url: URL): boolean {
  if (secure && !isSecure(url)) return false;
  const isHost = hostOnly ? url.hostname === host : within(url.hostname, host);
  return isHost && (url.pathname === path || url.pathname.startsWith(path.endsWith("/") ? path : `${path}/`));
}

function within(host: string, domain: string): boolean {
  return host === domain || host.endsWith(`.${domain}`);
}

function formOf(page: Page): { action: URL; method: string; values: Record<string, string> } {
  const [, attributes = "", body = ""] = /<form([^>]*)>(.*?)<\/form>/s.exec(page.text) ?? [];
  if (!attributes) throw new Error(`no form on ${page.url}: ${page.text.slice(0, 2000)}`);
  const values: Record<string, string> = {};
  for (const [, input = ""] of body.matchAll(/<input([^>]*)>/g)) {
    const name = attribute(input, "name");
    if (name && attribute(input, "type") === "hidden") values[name] = attribute(input, "value") ?? "";
  }
  const action = new URL(unescapeHtml(attribute(attributes, "action") ?? ""), page.url);
  return { action, method: (attribute(attributes, "method") ?? "get").toLowerCase(), values };
}

function attribute(tag: string, name: string): string | undefined {
  const [, value] = new RegExp(`\\b${name}="([^"]*)"`).exec(tag) ?? [];
  return value === undefined ? undefined : unescapeHtml(value);
}

function unescapeHtml(text: string): string {
  return text.replace(/&#(\d+);/g, (_, code) => String.fromCharCode(code)).replaceAll("&amp;", "&");
}
