// Files that clients send and fetch without a credential, as Cloudflare's do: the address holds a secret. Invariant: an
// address works once, for one file, until its time is over; nothing of it stays on disk then.

import { randomBytes } from "node:crypto";
import { rm } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { isSameSecret } from "../constant-time.js";
import { WrkstError } from "../errors.js";
import type { Budget } from "./body.js";
import { type Arrived, receiveFile, type Sent } from "./files.js";

export interface Transfers {
  /** An address to `PUT` one file to. @throws WrkstError ERR_RATE_LIMITED where the account has too many open */
  expect(owner: string, upload: { md5: string; limit: number }): Address;
  /** An address to `GET` the file from, which belongs to the transfer from now on. */
  offer(owner: string, file: { path: string } & Sent): Address;
  /** Takes the file in. @throws WrkstError ERR_NOT_FOUND for any address but one that is still good, ERR_INVALID */
  receive(id: string, key: string, req: IncomingMessage): Promise<{ md5: string }>;
  /** The file that is offered there, and no more after this. Whoever takes it releases it. @throws WrkstError ERR_NOT_FOUND */
  take(id: string, key: string): { path: string; release(): Promise<void> } & Sent;
  /** A file that arrived, and no more after this; undefined where none did. */
  claim(id: string, owner: string): Arrived | undefined;
}

export interface Address {
  id: string;
  url: string;
}

export interface TransfersDeps {
  folder: string;
  /** Origin without trailing slash. */
  publicUrl: () => string;
  now: () => number;
  /** Milliseconds that an address is good for. */
  life?: number;
}

export const TRANSFERS = "/transfers";
const LIFE = 3_600_000;
const MOST_PER_ACCOUNT = 16;
const MOST_BYTES = 4 * 2 ** 30;

interface Held {
  id: string;
  owner: string;
  /** As it stands in the address; compared as text, since base64 has several spellings of the same bytes. */
  key: string;
  expiresAt: number;
  timer: NodeJS.Timeout;
  upload?: { md5: string; limit: number };
  /** Somebody sends it. */
  isTaken: boolean;
  arrived?: Arrived;
  offered?: { path: string } & Sent;
}

/** `owner`: whatever an address must not be shared with others than. */
export function createTransfers({ folder, publicUrl, now, life = LIFE }: TransfersDeps): Transfers {
  const held = new Map<string, Held>();
  const budget: Budget = { left: MOST_BYTES };

  const forget = (one: Held) => {
    clearTimeout(one.timer);
    held.delete(one.id);
  };
  const end = (one: Held) => {
    forget(one);
    void one.arrived?.release();
    if (one.offered) void rm(one.offered.path, { force: true });
  };
  const add = (owner: string, what: Pick<Held, "upload" | "offered">): Address => {
    const open = [...held.values()].filter((one) => one.owner === owner).length;
    if (open >= MOST_PER_ACCOUNT) throw new WrkstError("ERR_RATE_LIMITED", "too many transfers at once");
    const [id, key] = [randomBytes(16).toString("hex"), randomBytes(32).toString("base64url")];
    const timer = setTimeout(() => end(one), life).unref();
    const one: Held = { ...what, id, owner, key, expiresAt: now() + life, isTaken: false, timer };
    held.set(id, one);
    return { id, url: `${publicUrl()}${TRANSFERS}/${id}?key=${key}` };
  };
  const find = (id: string, given: string): Held => {
    const one = held.get(id);
    if (one && isSameSecret(given, one.key) && !one.isTaken && one.expiresAt > now()) return one;
    throw new WrkstError("ERR_NOT_FOUND", "there is no such transfer", {
      hint: "an address works once and for an hour: ask for a new one",
    });
  };

  return {
    expect: (owner, upload) => add(owner, { upload }),
    offer(owner, offered) {
      try {
        return add(owner, { offered });
      } catch (error) {
        void rm(offered.path, { force: true });
        throw error;
      }
    },
    async receive(id, key, req) {
      const one = find(id, key);
      if (!one.upload) throw new WrkstError("ERR_NOT_FOUND", "there is no such transfer");
      one.isTaken = true;
      try {
        const arrived = await receiveFile(req, { folder, limit: one.upload.limit, budget });
        one.arrived = arrived;
        if (!held.has(id)) throw new WrkstError("ERR_INVALID", "the file came too late");
        if (arrived.md5 !== one.upload.md5) {
          throw new WrkstError("ERR_INVALID", `expected a file of MD5 "${one.upload.md5}", received "${arrived.md5}"`);
        }
        return { md5: arrived.md5 };
      } catch (error) {
        end(one);
        throw error;
      }
    },
    take(id, key) {
      const one = find(id, key);
      const { offered } = one;
      if (!offered) throw new WrkstError("ERR_NOT_FOUND", "there is no such transfer");
      forget(one);
      return { ...offered, release: () => rm(offered.path, { force: true }) };
    },
    claim(id, owner) {
      const one = held.get(id);
      if (!one?.arrived || one.owner !== owner) return undefined;
      forget(one);
      return one.arrived;
    },
  };
}
