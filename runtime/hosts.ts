// Reads host names: the header's form, and what a name under the base domain asks for. Pure.

/** What the labels before `.<base>` ask for; `label` is absent where the function's latest version is meant. */
export interface HostName {
  function: string;
  label?: string;
}

/** No host in use is longer: 253 characters, a dot, and a port. */
const MAX_HOST = 260;
/** The grammar of function names and aliases (DESIGN.md §5); version ids and commits have it too. */
const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/** The name in a Host header: lower case, without port and trailing dot; undefined for what cannot be a host. */
export function normalizeHost(raw: string): string | undefined {
  if (raw.length > MAX_HOST) return undefined;
  const bracket = raw.startsWith("[") ? raw.indexOf("]") : -1;
  const colon = raw.indexOf(":", bracket + 1);
  if (colon !== -1 && !/^\d{0,5}$/.test(raw.slice(colon + 1))) return undefined;
  const name = (colon === -1 ? raw : raw.slice(0, colon)).toLowerCase();
  const host = name.endsWith(".") ? name.slice(0, -1) : name;
  return host === "" || host.endsWith(".") ? undefined : host;
}

/**
 * What a normalized host under the base domain names: `<function>`, `<label>.<function>` or `<label>--<function>`.
 * Undefined for other hosts, deeper ones, and labels outside the grammar.
 */
export function parseHostName(host: string, baseDomain: string): HostName | undefined {
  const end = host.length - baseDomain.length - 1;
  if (end < 1 || host.charCodeAt(end) !== 46 || !host.endsWith(baseDomain)) return undefined;
  const labels = host.slice(0, end).split(".");
  if (labels.length > 2) return undefined;
  const parts = labels.length === 1 ? labels[0]!.split("--") : labels;
  if (parts.length > 2 || !parts.every((part) => LABEL.test(part) && !part.includes("--"))) return undefined;
  return parts.length === 1 ? { function: parts[0]! } : { label: parts[0]!, function: parts[1]! };
}
