// Which hosts a repository may be on whose address people gave by the API. Invariant: none that is, or resolves to, an address
// which is not public, unless the operator allows the host by name.

import { lookup } from "node:dns/promises";
import ipaddr from "ipaddr.js";
import { WrkstError } from "../errors.js";
import type { Remote } from "./remote.js";

/** `host` in lower case, IPv6 without brackets; without a port any port is meant. */
export interface AllowedHost {
  host: string;
  port?: number | undefined;
}

/** Looks at the host of a remote as it is now. @throws WrkstError ERR_GIT_REFUSED; ERR_GIT_UNREACHABLE when it has no address */
export type AdmitRemote = (remote: Remote) => Promise<void>;

const PORTS = { https: 443, http: 80, ssh: 22 } as const;

export function createAdmission(
  allowed: readonly AllowedHost[],
  resolve: (host: string) => Promise<string[]> = addressesOf,
): AdmitRemote {
  return async (remote) => {
    if (remote.kind === "local") throw refused("repositories on this machine are not allowed here");
    const { host, port } = hostOf(remote.url, PORTS[remote.kind]);
    const isAllowed = allowed.some((one) => one.host === host && (one.port ?? port) === port);
    if (isAllowed) return;
    if (remote.kind === "http") throw refused(`expected "https" or "ssh" as scheme of the repository, received "http"`);
    const addresses = ipaddr.isValid(host) ? [host] : await resolve(host);
    if (addresses.length > 0 && addresses.every(isPublic)) return;
    throw refused(`the host "${host}" is not on the public internet`);
  };
}

/** Host and port of a well-formed address: a URL, or `user@host:path`. */
export function hostOf(url: string, defaultPort: number): { host: string; port: number } {
  const [, host = "", port] = /^[a-z]+:\/\/(?:[^@/]*@)?(\[[^\]]*\]|[^:/]*)(?::(\d+))?/i.exec(url) ?? [];
  const [, short = ""] = /^(?:[^@]*@)?(\[[^\]]*\]|[^:]*):/.exec(url) ?? [];
  const name = (url.includes("://") ? host : short).toLowerCase();
  return { host: name.replace(/^\[(.*)\]$/, "$1").replace(/\.$/, ""), port: port ? Number(port) : defaultPort };
}

/** Whether an address of IPv4 or IPv6 is one of the public internet. */
export function isPublic(address: string): boolean {
  if (!ipaddr.isValid(address)) return false;
  const parsed = ipaddr.process(address);
  if (parsed.range() !== "unicast") return false;
  // Global unicast of IPv6 is 2000::/3.
  return parsed.kind() === "ipv4" || (parsed.toByteArray()[0] ?? 0) >> 5 === 1;
}

async function addressesOf(host: string): Promise<string[]> {
  try {
    return (await lookup(host, { all: true })).map(({ address }) => address);
  } catch {
    throw new WrkstError("ERR_GIT_UNREACHABLE", `the host "${host}" has no address`);
  }
}

function refused(message: string): WrkstError {
  return new WrkstError("ERR_GIT_REFUSED", message, {
    hint: "the operator allows hosts of the own network with GIT_ALLOW_HOSTS",
  });
}
