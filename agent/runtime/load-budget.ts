// How much processor time bringing a version into memory may take: parsing it and running its top level. It happens again
// in the serving process, where everybody waits for as long. Pure.

/** For the top level itself. Cloudflare's limit for parsing and running together was this, and is 1,000 now. */
const BASE = 400;
/** For parsing, per MiB; measured: 35 to 70. */
const PER_MIB = 60;
/** The watchdog must see signs of life between two loads also on a machine that is three times slower just then. */
const SHARE_OF_HANG = 1 / 3;

/** Milliseconds for a version of so many bytes; `hangTimeout`: RUNTIME_HANG_TIMEOUT in milliseconds. */
export function loadBudget(bytes: number, hangTimeout: number): number {
  return Math.round(Math.min(BASE + (PER_MIB * bytes) / 2 ** 20, hangTimeout * SHARE_OF_HANG));
}
