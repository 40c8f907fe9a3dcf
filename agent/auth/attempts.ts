// Counts failed attempts per address. Invariant: bounded memory; says only how many failures there were, whoever asks
// lets valid credentials pass whatever the count (SECURITY.md A8).

import ipaddr from "ipaddr.js";

export interface AttemptsOptions {
  /** Failures within the window from which on an address is refused. */
  limit?: number;
  /** Milliseconds. */
  window?: number;
  now?: () => number;
}

export interface Attempts {
  /** Takes down a failure. */
  failed(address: string): void;
  /** Whether the address has used up its failures. */
  exhausted(address: string): boolean;
}

const MOST_ADDRESSES = 20_000;

export function createAttempts({ limit = 30, window = 60_000, now = Date.now }: AttemptsOptions = {}): Attempts {
  /** In the order of their first failure, so that the oldest are dropped first. */
  const counts = new Map<string, { since: number; failures: number }>();
  const current = (key: string) => {
    const entry = counts.get(key);
    return entry && now() - entry.since < window ? entry : undefined;
  };
  return {
    failed(address) {
      const key = subscriberOf(address);
      const entry = current(key);
      if (entry) {
        entry.failures += 1;
        return;
      }
      counts.delete(key);
      counts.set(key, { since: now(), failures: 1 });
      for (const oldest of counts.keys()) {
        if (counts.size <= MOST_ADDRESSES) break;
        counts.delete(oldest);
      }
    },
    exhausted: (address) => (current(subscriberOf(address))?.failures ?? 0) >= limit,
  };
}

/** What stands for everybody at an address: one subscriber has a whole /64 of IPv6. */
export function subscriberOf(address: string): string {
  if (!ipaddr.isValid(address)) return address.slice(0, 64);
  const parsed = ipaddr.process(address);
  if (parsed.kind() === "ipv4") return parsed.toString();
  return parsed.toByteArray().slice(0, 8).join(".");
}
