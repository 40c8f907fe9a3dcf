// `route` and `routes` as exact hosts of one's own. Pure.
// Whether a host is free to take (the base domain, the API's hosts, another account's) is not decided here.

import { isIP } from "node:net";
import { WrkstError } from "../errors.js";
import { isTable, type Path, type Table } from "./document.js";
import { fail, formatPath, inherited, listOf, type Setting, type Settings, show, topLevel } from "./settings.js";

const HINT = 'write the exact host, for example routes = ["shop.example.com/*"]';
const HOST = /^(?=.{1,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/;

/** Lower-case hosts, each once, in the order of the file. */
export function readHosts(settings: Settings): string[] {
  refuseBoth(settings, settings.document.value, []);
  if (settings.section) refuseBoth(settings, settings.section, ["env", settings.environment!]);
  const routes = inherited(settings, "routes");
  // An empty `route` counts as none, and `routes` wins over a `route` of the other level, as in wrangler.
  const written = [inherited(settings, "route"), topLevel(settings, "route")];
  const single = written.flatMap((route) => (route && route.value !== "" ? [route] : [])).slice(0, 1);
  const hosts = (routes ? listOf(settings, routes) : single).map((setting) => readHost(settings, setting));
  return [...new Set(hosts.filter((host) => host !== undefined))];
}

/** One level, the top or an environment's, says one of the two. */
function refuseBoth(settings: Settings, level: Table, path: Path): void {
  if (level.route === undefined || level.route === "" || level.routes === undefined) return;
  fail(settings, [...path, "routes"], 'expected one of "route" and "routes", received both');
}

/** The host, or undefined for a custom domain that is switched off. */
function readHost(settings: Settings, setting: Setting): string | undefined {
  const { value } = setting;
  if (typeof value === "string") return parseHost(settings, setting, value);
  if (!isTable(value) || typeof value.pattern !== "string") {
    const expected = `a string, or a table with "pattern" and one of "custom_domain", "zone_name" and "zone_id"`;
    fail(settings, setting.path, `expected "${formatPath(setting.path)}" to be ${expected}, received ${show(value)}`);
  }
  if (value.enabled === false) return undefined;
  return parseHost(settings, { value, path: [...setting.path, "pattern"] }, value.pattern);
}

function parseHost(settings: Settings, setting: Setting, pattern: string): string {
  const host = readPattern(pattern);
  if (host.name !== undefined) return host.name;
  return fail(settings, setting.path, `expected the route "${pattern}" to ${host.expected}`, { hint: HINT });
}

/** The host of a pattern such as `shop.example.com/*`, lower case. @throws WrkstError ERR_INVALID where it is no exact host */
export function parseExactHost(pattern: string): string {
  const host = readPattern(pattern);
  if (host.name !== undefined) return host.name;
  throw new WrkstError("ERR_INVALID", `expected the route "${pattern}" to ${host.expected}`, { hint: HINT });
}

function readPattern(pattern: string): { name: string; expected?: never } | { name?: never; expected: string } {
  const host = pattern.endsWith("/*") ? pattern.slice(0, -2) : pattern;
  if (host.includes("://")) return { expected: "have no scheme" };
  if (host.includes("/")) return { expected: 'have the path "/*" or none' };
  if (host.includes("*")) return { expected: "name one host, without a wildcard" };
  const name = canonicalHost(host);
  if (name === undefined || !HOST.test(name)) return { expected: "be a host name without port" };
  if (isIP(name)) return { expected: "be a host name, not an address" };
  if (name !== "localhost" && !name.endsWith(".localhost")) return { name };
  return { expected: "be a host name of your own, not localhost" };
}

/** As the host arrives in requests: lower case, punycode, and every way to write an IPv4 address as one. */
function canonicalHost(host: string): string | undefined {
  if (/[:@?#\\\s[\]%]/.test(host) || host.endsWith(".")) return undefined;
  return URL.canParse(`http://${host}`) ? new URL(`http://${host}`).hostname : undefined;
}
