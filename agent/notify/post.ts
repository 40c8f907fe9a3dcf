// Sends one request to an address that people gave. Invariant: the address that was looked at is the one that is connected to, no
// redirect is followed, and time and size of the answer are bounded.

import { lookup as nodeLookup } from "node:dns/promises";
import { request as httpRequest, type IncomingHttpHeaders, type RequestOptions } from "node:http";
import { request as httpsRequest } from "node:https";
import { isIP, type LookupFunction } from "node:net";
import { WrkstError } from "../errors.js";

/** What is sent, by POST. */
export interface Letter {
  url: string;
  headers: Record<string, string>;
  body: string;
}

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  /** Its beginning. */
  text: string;
}

/**
 * @throws WrkstError ERR_INVALID for an address that may not be asked; any other error for one that does not answer, or not in time
 */
export type Post = (letter: Letter, signal: AbortSignal) => Promise<Answer>;

export interface PostDeps {
  /** Hosts that are asked though they are not public, by http too. Lower case, IPv6 without brackets. */
  allowed: readonly { host: string; port?: number | undefined }[];
  isPublic(address: string): boolean;
  resolve?: (host: string) => Promise<string[]>;
  /** Milliseconds. */
  timeout?: number;
}

const TIMEOUT = 10_000;
const MOST_READ = 16 * 1024;

/** Throws as the sending would; a host that has no address at present is let through. */
export type AdmitTarget = (url: string) => Promise<void>;

export function createPost(deps: PostDeps): { post: Post; admit: AdmitTarget } {
  const { timeout = TIMEOUT, resolve = addressesOf } = deps;

  /** What may be connected to. */
  async function addressesFor(url: URL): Promise<string[]> {
    const host = hostOf(url);
    const port = Number(url.port) || (url.protocol === "https:" ? 443 : 80);
    const isAllowed = deps.allowed.some((one) => one.host === host && (one.port ?? port) === port);
    if (url.protocol !== "https:" && !isAllowed) throw refused(`expected an https address, received "${url.origin}"`);
    const addresses = isIP(host) ? [host] : await resolve(host);
    if (isAllowed || addresses.every((address) => deps.isPublic(address))) return addresses;
    throw refused(`the host "${host}" is not on the public internet`);
  }

  async function post(letter: Letter, signal: AbortSignal): Promise<Answer> {
    const late = AbortSignal.timeout(timeout);
    const stopping = AbortSignal.any([signal, late]);
    try {
      const url = new URL(letter.url);
      const addresses = await abortable(addressesFor(url), stopping);
      if (!addresses.length) throw new Error(`the host "${hostOf(url)}" has no address`);
      return await abortable(exchange(url, letter, { lookup: pinned(addresses), signal: stopping }), stopping);
    } catch (error) {
      if (late.aborted && !signal.aborted) throw new Error(`no answer within ${timeout / 1000} s`);
      throw error;
    }
  }

  return {
    post,
    async admit(raw) {
      try {
        await addressesFor(new URL(raw));
      } catch (error) {
        if (error instanceof WrkstError) throw error;
      }
    },
  };
}

function exchange(url: URL, { headers, body }: Letter, options: RequestOptions): Promise<Answer> {
  const send = url.protocol === "https:" ? httpsRequest : httpRequest;
  const all = { "user-agent": "wrkst", ...headers, "content-length": String(Buffer.byteLength(body)) };
  return new Promise((resolve, reject) => {
    const req = send(url, { ...options, method: "POST", headers: all, agent: false }, (res) => {
      const chunks: Buffer[] = [];
      let size = 0;
      const end = () => {
        const text = Buffer.concat(chunks).toString("utf8").slice(0, MOST_READ);
        resolve({ status: res.statusCode ?? 0, headers: res.headers, text });
        req.destroy();
      };
      res.on("data", (chunk: Buffer) => {
        chunks.push(chunk);
        size += chunk.length;
        if (size >= MOST_READ) end();
      });
      res.on("end", end);
      res.on("error", reject);
    });
    req.on("error", reject);
    req.end(body);
  });
}

/** Answers what was looked at, whatever the name means by now. */
function pinned(addresses: string[]): LookupFunction {
  const all = addresses.map((address) => ({ address, family: isIP(address) }));
  return (_host, options, callback) => {
    const [first] = all;
    if (options.all) callback(null, all);
    else callback(null, first?.address ?? "", first?.family);
  };
}

/** Looking up a name cannot be ended: it is waited for no longer. */
function abortable<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  if (signal.aborted) {
    work.catch(() => undefined);
    return Promise.reject(signal.reason);
  }
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason);
    signal.addEventListener("abort", stop, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop));
  });
}

const hostOf = ({ hostname }: URL) => hostname.replace(/^\[(.*)\]$/, "$1").replace(/\.$/, "");

async function addressesOf(host: string): Promise<string[]> {
  return (await nodeLookup(host, { all: true })).map(({ address }) => address);
}

function refused(message: string): WrkstError {
  return new WrkstError("ERR_INVALID", message, {
    hint: "the operator allows hosts of the own network, and http to them, with NOTIFY_ALLOW_HOSTS",
  });
}
