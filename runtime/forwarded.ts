// Who the client is and what it asked for, where proxies stand in between. Pure; headers count only from trusted addresses.
import ipaddr from "ipaddr.js";

export interface Forwarding {
  /** CIDRs or single addresses. */
  trustedProxies: string[];
  useForwardedHost: boolean;
}

interface Headers {
  get(name: string): string | null;
}

/** The address without its port: workerd names the client `1.2.3.4:5` or `[::1]:5`. IPv4 is IPv4 however it is written. */
export function withoutPort(clientIp: string): string {
  return hostOf(clientIp).replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, "");
}

function hostOf(clientIp: string): string {
  if (clientIp.startsWith("[")) return clientIp.slice(1, clientIp.indexOf("]"));
  const colon = clientIp.lastIndexOf(":");
  return colon === -1 || clientIp.indexOf(":") !== colon ? clientIp : clientIp.slice(0, colon);
}

/** What the proxies say, checked. Throws a `TypeError` for a CIDR that is none. */
export function createForwarding(settings: Forwarding) {
  const blocks = settings.trustedProxies.map(parseBlock);
  const isTrusted = (address: string) => {
    const parsed = parseAddress(address);
    return parsed !== undefined && blocks.some(([block, bits]) => contains(block, bits, parsed));
  };
  return {
    /** Whether anything but the connection can ever count. */
    isActive: blocks.length > 0,
    isTrusted,
    /** The last hop that is no trusted proxy; the first one where all are. */
    clientAddress(connection: string, headers: Headers): string {
      if (!isTrusted(connection)) return connection;
      const hops = (headers.get("x-forwarded-for") ?? "").split(",").map((hop) => withoutPort(hop.trim()));
      let address = connection;
      for (const hop of hops.reverse()) {
        if (!parseAddress(hop)) return address;
        address = hop;
        if (!isTrusted(hop)) return address;
      }
      return address;
    },
    /** The URL that the client asked for, or undefined where it is the one that arrived. */
    originalUrl(url: string, connection: string, headers: Headers): string | undefined {
      if (!settings.useForwardedHost || !isTrusted(connection)) return undefined;
      const host = first(headers.get("x-forwarded-host"));
      const proto = first(headers.get("x-forwarded-proto"))?.toLowerCase();
      const original = new URL(url);
      if (proto === "http" || proto === "https") original.protocol = proto;
      if (host && FORWARDED_HOST.test(host)) {
        original.port = "";
        original.host = host;
      }
      return original.href === url ? undefined : original.href;
    },
  };
}

const FORWARDED_HOST = /^(?:[A-Za-z0-9._-]{1,255}|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$/;

function first(header: string | null): string | undefined {
  return header?.split(",", 1)[0]?.trim();
}

type Address = ipaddr.IPv4 | ipaddr.IPv6;

function parseAddress(text: string): Address | undefined {
  return ipaddr.isValid(text) ? ipaddr.process(text) : undefined;
}

function parseBlock(text: string): [Address, number] {
  const address = text.includes("/") ? undefined : parseAddress(text);
  if (address) return [address, address.kind() === "ipv4" ? 32 : 128];
  try {
    return ipaddr.parseCIDR(text);
  } catch {
    throw new TypeError(`expected an address or a CIDR, got "${text}"`);
  }
}

function contains(block: Address, bits: number, address: Address): boolean {
  return block.kind() === address.kind() && (address as ipaddr.IPv4).match(block as ipaddr.IPv4, bits);
}
