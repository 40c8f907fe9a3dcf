// Parsers of single settings: text → value, or what was expected instead. Pure.

import { isAbsolute, resolve } from "node:path";
import ipaddr from "ipaddr.js";
import { validRange } from "semver";

/** What a parser returns when the text is wrong. */
export class Expected {
  readonly what: string;
  readonly hint: string | undefined;
  constructor(what: string, hint?: string) {
    this.what = what;
    this.hint = hint;
  }
}

/** Text (trimmed, never empty) → value. */
export type Parse<T> = (raw: string) => T | Expected;

const UNITS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `500ms`, `10s`, `5m`, `1h`, `3d` → milliseconds. A bare number has no unit and is refused, `0` excepted. */
export function parseDuration(raw: string): number | Expected {
  if (raw === "0") return 0;
  const [, amount, unit] = /^(\d{1,12}(?:\.\d{1,3})?)(ms|s|m|h|d)$/.exec(raw) ?? [];
  const factor = UNITS[unit ?? ""];
  return factor === undefined ? new Expected('a duration such as "500ms", "10s" or "3d"') : Number(amount) * factor;
}

/** A duration where `0` means "off" or "for ever": null. */
export function parseDurationOrNone(raw: string): number | null | Expected {
  return parseDuration(raw) || null;
}

/** A duration above zero. */
export function parsePositiveDuration(raw: string): number | Expected {
  return parseDuration(raw) || new Expected('a duration above zero, such as "3s"');
}

/** A whole number within the bounds. */
export function parseInteger(least: number, most: number): Parse<number> {
  return (raw) => {
    const value = /^\d{1,15}$/.test(raw) ? Number(raw) : Number.NaN;
    return value >= least && value <= most ? value : new Expected(`a whole number from ${least} to ${most}`);
  };
}

/** `75%` → 0.75. */
export function parseShare(raw: string): number | Expected {
  const [, number] = /^(\d{1,3}(?:\.\d+)?) ?%$/.exec(raw) ?? [];
  return number !== undefined && Number(number) <= 100 ? Number(number) / 100 : new Expected('a share such as "50%"');
}

const SIZES: Record<string, number> = { "": 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 };

/** `512MiB`, `2G`, `1073741824` → bytes (powers of 1024), or `75%` of `total`. */
export function parseMemory(total: number): Parse<number> {
  return (raw) => {
    const expected = new Expected('a share such as "75%" or a size of 64 MiB or more such as "2GiB"');
    if (raw.endsWith("%")) {
      const share = parseShare(raw);
      return share instanceof Expected || share === 0 ? expected : Math.floor(share * total);
    }
    const bytes = bytesOf(raw);
    return bytes >= 2 ** 26 ? bytes : expected;
  };
}

/** A size within the bounds, as `parseMemory` takes it. */
export function parseSize(least: number, most: number): Parse<number> {
  return (raw) => {
    const bytes = bytesOf(raw);
    const inMiB = (size: number) => `${size / 2 ** 20} MiB`;
    return bytes >= least && bytes <= most
      ? bytes
      : new Expected(`a size such as "2GiB", from ${inMiB(least)} to ${inMiB(most)}`);
  };
}

/** Not a number where it is no size. */
function bytesOf(raw: string): number {
  const [, number, unit] = /^(\d{1,15}(?:\.\d+)?) ?([kmgt]?)i?b?$/i.exec(raw) ?? [];
  return Math.floor(Number(number) * (SIZES[unit?.toLowerCase() ?? ""] ?? Number.NaN));
}

const BOOLEANS: Record<string, boolean> = {
  true: true,
  on: true,
  yes: true,
  1: true,
  false: false,
  off: false,
  no: false,
  0: false,
};

export function parseBoolean(raw: string): boolean | Expected {
  return BOOLEANS[raw.toLowerCase()] ?? new Expected('"true" or "false"');
}

export function parseOnOff(raw: string): boolean | Expected {
  return raw === "on" || raw === "off" ? raw === "on" : new Expected('"on" or "off"');
}

export function parseOneOf<const T extends string>(...choices: T[]): Parse<T> {
  return (raw) =>
    choices.find((choice) => choice === raw.toLowerCase()) ??
    new Expected(`one of ${choices.map((choice) => `"${choice}"`).join(", ")}`);
}

/** A list, separated by commas or spaces, each part by the parser given. */
export function parseList<T>(parsePart: Parse<T>): Parse<T[]> {
  return (raw) => {
    const values: T[] = [];
    for (const part of raw.split(/[\s,]+/).filter(Boolean)) {
      const value = parsePart(part);
      if (value instanceof Expected) return new Expected(`a list of ${value.what}, and "${part}" is none`, value.hint);
      values.push(value);
    }
    return values;
  };
}

/** Globs of branches, or `none`. Few stars, so that none takes long to be compared. */
export function parseBranchPatterns(raw: string): string[] | Expected {
  if (raw === "none") return [];
  return parseList((part): string | Expected => {
    const fits = part.length <= 200 && /^[^~^:?[\\\p{Cc}]+$/u.test(part) && part.split(/\*+/).length <= 5;
    return fits ? part : new Expected('patterns such as "feature/*" or "**", with at most four stars');
  })(raw);
}

/** `10.0.0.0/8`, `fd00::/8`, or one address, which becomes `/32` or `/128`. Written as ipaddr.js writes it. */
export function parseNetwork(raw: string): string | Expected {
  const [address = "", bits, ...rest] = raw.split("/");
  const strict = ipaddr.IPv4.isValidFourPartDecimal(address) || ipaddr.IPv6.isValid(address);
  if (!strict || rest.length || address.includes("%")) return new Expected('networks such as "10.0.0.0/8"');
  const parsed = ipaddr.parse(address);
  const most = parsed.kind() === "ipv4" ? 32 : 128;
  const length = bits === undefined ? most : /^\d{1,3}$/.test(bits) ? Number(bits) : Number.NaN;
  return length <= most ? `${parsed.toString()}/${length}` : new Expected(`networks of 0 to ${most} bits`);
}

/** `public`, or a network. */
export function parseEgress(raw: string): string | Expected {
  return raw === "public" ? raw : parseNetwork(raw);
}

/** `account/function` or `account/*`. */
export function parseFunctionPattern(raw: string): string | Expected {
  return /^[a-z0-9][a-z0-9-]{0,52}\/(?:\*|[a-z0-9][a-z0-9-]{0,52})$/.test(raw)
    ? raw
    : new Expected('functions such as "main/orders" or "main/*"');
}

/** A DNS name of two or more characters, in lower case, without trailing dot; never an address. */
export function parseDomain(raw: string): string | Expected {
  const name = raw.toLowerCase().replace(/\.$/, "");
  const labels = name.split(".");
  const fits = name.length <= 190 && labels.every((label) => /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(label));
  return fits && !/^\d+$/.test(labels.at(-1) ?? "")
    ? name
    : new Expected('a domain name such as "example.com", without port');
}

/** An address or host name to listen on; `*` is every interface. */
export function parseListenHost(raw: string): string | Expected {
  const name = raw.replace(/^\[(.*)\]$/, "$1");
  const fits = name === "*" || ipaddr.isValid(name) || !(parseDomain(name) instanceof Expected);
  return fits ? name : new Expected('an address such as "127.0.0.1", or "*" for all interfaces');
}

export interface ListenAddress {
  host: string;
  port: number;
}

/** `127.0.0.1:8081`, `[::1]:8081`, or a port alone, which is on the loopback interface. */
export function parseListenAddress(raw: string): ListenAddress | Expected {
  const [, host = "127.0.0.1", digits = ""] = /^(?:(.*):)?(\d{1,5})$/.exec(raw) ?? [];
  const name = parseListenHost(host);
  const port = parseInteger(0, 65_535)(digits);
  return name instanceof Expected || port instanceof Expected || (name.includes(":") && !host.startsWith("["))
    ? new Expected('an address with port such as "127.0.0.1:8081"')
    : { host: name, port };
}

/** An http or https origin, without path, query or user; written without trailing slash. */
export function parseOrigin(raw: string): string | Expected {
  const expected = new Expected('an address such as "https://example.com", without path');
  const url = URL.canParse(raw) ? new URL(raw) : undefined;
  if (!url || !/^https?:$/.test(url.protocol) || url.username || url.password) return expected;
  return url.pathname === "/" && !url.search && !url.hash ? url.origin : expected;
}

/** A folder or file, made absolute. */
export function parsePath(folder: string): Parse<string> {
  return (raw) => (raw.includes("\0") ? new Expected("a path") : resolve(folder, raw));
}

const REPOSITORY = new Expected(
  'an address such as "https://example.com/me/functions.git" or "git@example.com:me/functions.git", or a path',
  "credentials go into GIT_USERNAME and GIT_TOKEN, never into the address",
);

/** `git@host:path`, ssh's short form. */
const SHORT_SSH = /^[\w.-]+@[\w.-]+:[^:]/;

/**
 * URL (https, http, ssh, file) as it is, path made absolute. Refused: options, transports such as `ext::`, other
 * schemes, and credentials inside a URL, which would end up in logs.
 */
export function parseRepository(folder: string): Parse<string> {
  return (raw) => {
    if (raw.startsWith("-") || raw.includes("::") || /[\0-\x1f]/.test(raw)) return REPOSITORY;
    if (SHORT_SSH.test(raw)) return raw;
    if (!/^[a-z][a-z0-9+.-]*:/i.test(raw)) return isAbsolute(raw) ? raw : resolve(folder, raw);
    const url = URL.canParse(raw) ? new URL(raw) : undefined;
    if (!url || !["https:", "http:", "ssh:", "file:"].includes(url.protocol) || url.password) return REPOSITORY;
    return url.username && url.protocol !== "ssh:" ? REPOSITORY : raw;
  };
}

/** A host, with or without a port: `git.example.com`, `127.0.0.1:3000`, `[::1]:2222`. */
export function parseGitHost(raw: string): { host: string; port?: number } | Expected {
  const expected = new Expected('hosts such as "git.example.com" or "10.0.0.5:3000"');
  const [, bracketed, plain = "", digits] = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d{1,5}))?$/.exec(raw) ?? [];
  const host = (bracketed ?? plain).toLowerCase().replace(/\.$/, "");
  const isHost =
    bracketed === undefined ? /^[a-z0-9_](?:[a-z0-9._-]*[a-z0-9])?$/.test(host) : ipaddr.IPv6.isValid(host);
  if (!isHost) return expected;
  const port = digits === undefined ? undefined : parseInteger(1, 65_535)(digits);
  if (port instanceof Expected) return expected;
  return {
    host: bracketed === undefined ? host : ipaddr.parse(host).toString(),
    ...(port === undefined ? {} : { port }),
  };
}

/** Whether a repository is reached over ssh. */
export function isSshRepository(repository: string): boolean {
  return repository.startsWith("ssh://") || SHORT_SSH.test(repository);
}

/** The name of a branch by git's rules (git-check-ref-format). */
export function parseBranch(raw: string): string | Expected {
  const odd = /[\0-\x20\x7f~^:?*[\\]|\.\.|@\{|\/\/|\.lock(?:\/|$)|(?:^|\/)\.|^-|^\/|[/.]$|^@$/;
  return odd.test(raw) || raw.length > 200 ? new Expected('the name of a branch such as "main"') : raw;
}

/** A range of versions as semver reads it. */
export function parseVersionRange(raw: string): string | Expected {
  return raw.length <= 200 && validRange(raw) !== null ? raw : new Expected('a range of versions such as "^1.2"');
}

/** A folder inside the repository, `""` for its root. */
export function parseRepositoryFolder(raw: string): string | Expected {
  const parts = raw.split("/").filter((part) => part !== "" && part !== ".");
  const odd = parts.some((part) => part === ".." || part.toLowerCase() === ".git" || /[\0-\x1f\\]/.test(part));
  return odd ? new Expected('a folder of the repository such as "functions"') : parts.join("/");
}

/** How many functions one pass may remove by itself: a removal waits when it is more than both. */
export interface PruneLimit {
  /** Share of the functions of the source, 0–1. */
  share: number;
  count: number;
}

/** `50%` (and more than 3), or a number of functions. */
export function parsePruneLimit(raw: string): PruneLimit | Expected {
  if (/^\d{1,6}$/.test(raw)) return { share: 0, count: Number(raw) };
  const share = parseShare(raw);
  return share instanceof Expected
    ? new Expected('a share such as "50%" or a number such as "10"')
    : { share, count: 3 };
}

/** A key that nobody guesses: as long as 32 random bytes are in any usual form. */
export const parseKey: Parse<string> = (raw) =>
  raw.length >= 32 && new Set(raw).size >= 8
    ? raw
    : new Expected("a random text of 32 characters or more", 'make one with "openssl rand -base64 32"');
