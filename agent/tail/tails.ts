// Tails as Cloudflare's clients have them: made by a call, then opened by a WebSocket whose address holds a secret, gone when
// the socket closes, or never opened, or too old.

import { randomBytes } from "node:crypto";
import { isSameSecret } from "../constant-time.js";
import type { TailEvent } from "../model.js";
import type { Hub, Listener } from "./hub.js";

export interface TailRecord {
  id: string;
  function: string;
  secret: string;
  /** Milliseconds since 1970. */
  expiresAt: number;
}

/** A way to whoever listens. */
export interface TailSocket {
  send(event: TailEvent): void;
  close(): void;
}

export interface Tails {
  /**
   * Resolves when the function is listened to. `address`: of whoever asks.
   * @throws WrkstError ERR_CONFLICT where too many listen
   */
  create(name: string, asked: Pick<Listener, "filters" | "address" | "mayStay">): Promise<TailRecord>;
  list(name: string): TailRecord[];
  /** Ends a tail; false where there is none. */
  remove(name: string, id: string): boolean;
  /**
   * The tail of that id and secret begins: `open` is called, and what it answers is sent to. Calls the function it answers
   * when the socket is gone. Undefined for an unknown tail, a wrong secret, or one that is open already.
   */
  open(id: string, secret: string, open: () => TailSocket): (() => void) | undefined;
}

export interface TailsDeps {
  hub: Pick<Hub, "listen" | "settled">;
  now(): number;
  /** Milliseconds from its making until a tail must be open. */
  patience?: number;
  /** Milliseconds from its making until a tail ends. */
  life?: number;
}

interface State extends TailRecord {
  timer: NodeJS.Timeout | undefined;
  socket: TailSocket | undefined;
  stop(): void;
}

const PATIENCE = 60_000;
const LIFE = 6 * 3_600_000;

export function createTails({ hub, now, patience = PATIENCE, life = LIFE }: TailsDeps): Tails {
  const tails = new Map<string, State>();

  const of = (name: string) => [...tails.values()].filter((tail) => tail.function === name);
  function end(tail: State): void {
    if (!tails.delete(tail.id)) return;
    clearTimeout(tail.timer);
    tail.stop();
    tail.socket?.close();
  }
  function endIn(tail: State, milliseconds: number): void {
    clearTimeout(tail.timer);
    tail.timer = setTimeout(() => end(tail), milliseconds).unref();
  }

  return {
    async create(name, asked) {
      const tail: State = {
        ...{ id: randomBytes(16).toString("hex"), secret: randomBytes(32).toString("base64url") },
        ...{ function: name, expiresAt: now() + life, timer: undefined, socket: undefined },
        stop: hub.listen(name, {
          ...{ ...asked, end: () => end(tail) },
          send: (event) => tail.socket?.send(event),
        }),
      };
      tails.set(tail.id, tail);
      endIn(tail, patience);
      await hub.settled();
      return tail;
    },
    list: of,
    remove(name, id) {
      const tail = tails.get(id);
      if (tail?.function !== name) return false;
      end(tail);
      return true;
    },
    open(id, secret, open) {
      const tail = tails.get(id);
      if (!tail || !isSameSecret(tail.secret, secret) || tail.socket) return undefined;
      tail.socket = open();
      endIn(tail, tail.expiresAt - now());
      return () => end(tail);
    },
  };
}
