// Decides which function owns which custom host (SECURITY.md B7b). Pure.

import { isIP } from "node:net";
import type { RoutedFunction } from "../model.js";

export interface HostRules {
  baseDomain: string;
  reservedHosts?: string[];
}

type Claimant = Pick<RoutedFunction, "account" | "name" | "hosts">;

/** Function name → custom hosts that it owns, sorted. Of several claims on a host the oldest wins, then the first name. */
export function routeHosts(functions: Claimant[], rules: HostRules): Map<string, string[]> {
  const owners = new Map<string, { name: string; since: number }>();
  for (const { name, hosts } of functions) {
    for (const [host, since] of Object.entries(hosts)) {
      if (refusalOfHost(host, rules)) continue;
      const owner = owners.get(host);
      const earlier = !owner || since < owner.since || (since === owner.since && name < owner.name);
      if (earlier) owners.set(host, { name, since });
    }
  }
  const owned = new Map<string, string[]>();
  for (const [host, { name }] of owners) owned.set(name, [...(owned.get(name) ?? []), host]);
  for (const hosts of owned.values()) hosts.sort();
  return owned;
}

/** Why no function may have the host, or undefined when one may. Hosts are lower case, without port. */
export function refusalOfHost(host: string, { baseDomain, reservedHosts = [] }: HostRules): string | undefined {
  if (isUnder(host, baseDomain)) return `it is, or lies under, the base domain "${baseDomain}"`;
  if (reservedHosts.includes(host)) return "the platform answers there itself";
  if (isUnder(host, "localhost")) return "it is this machine";
  if (isIP(host.replace(/^\[|\]$/g, ""))) return "it is an address, not a name";
  return undefined;
}

/** On a label boundary: `evilbase` is not under `base`. */
function isUnder(host: string, domain: string): boolean {
  return host === domain || host.endsWith(`.${domain}`);
}
