// Who is at the other end of a request: address and request id. Invariant: headers count only from those who may set
// them (SECURITY.md B5a). Pure.

import type { IncomingHttpHeaders } from "node:http";
import ipaddr from "ipaddr.js";
import { HEADER } from "../../runtime/wire.js";

/** How a request came: handed on by the router, which sets the headers of `HEADER` itself, or on a socket of our own. */
export type Via = "router" | "direct";

export interface Client {
  address: string;
  requestId: string;
}

export interface ClientOptions {
  via: Via;
  /** Of the connection. */
  remoteAddress: string | undefined;
  /** CIDRs. */
  trustedProxies: string[];
  createId: () => string;
}

/** Address and request id of a request with these headers. */
export function clientOf(headers: IncomingHttpHeaders, options: ClientOptions): Client {
  const given = options.via === "router" ? headers[HEADER.requestId] : undefined;
  const requestId = typeof given === "string" && /^[\w-]{8,64}$/.test(given) ? given : options.createId();
  return { address: addressOf(headers, options), requestId };
}

function addressOf(headers: IncomingHttpHeaders, { via, remoteAddress, trustedProxies }: ClientOptions): string {
  if (via === "router") {
    const address = headers[HEADER.clientIp];
    return typeof address === "string" && ipaddr.isValid(address) ? ipaddr.process(address).toString() : "unknown";
  }
  if (!remoteAddress) return "unknown";
  const forwarded = headers["x-forwarded-for"];
  const hops = typeof forwarded === "string" ? forwarded.split(",").map((hop) => hop.trim()) : [];
  return lastUntrusted([...hops, remoteAddress], trustedProxies);
}

/** The last hop that is no trusted proxy: all before it are its own word. What is no address ends the walk. */
function lastUntrusted(hops: string[], trustedProxies: string[]): string {
  const networks = trustedProxies.map((network) => ipaddr.parseCIDR(network));
  let address = "unknown";
  for (const hop of hops.reverse()) {
    if (!ipaddr.isValid(hop)) return address;
    const parsed = ipaddr.process(hop);
    address = parsed.toString();
    const trusted = networks.some(([base, bits]) => parsed.kind() === base.kind() && parsed.match(base, bits));
    if (!trusted) return address;
  }
  return address;
}
