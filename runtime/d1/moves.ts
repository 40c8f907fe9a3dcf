// Objects whose database moves into another one: what may write waits, then all calls go to the successor. Lives in this module as
// long as the process, since objects leave memory when nobody asks them.

const held = new Set<string>();
const successors = new Map<string, string>();

/** Milliseconds. */
const BETWEEN_LOOKS = 5;

/** `name`: of the object. */
export const moves = {
  hold: (name: string, on: boolean) => void (on ? held.add(name) : held.delete(name)),
  isHeld: (name: string) => held.has(name),
  /** Each asker looks by itself: what resolves a promise of another's may be gone before it does. */
  look: () => scheduler.wait(BETWEEN_LOOKS),
  succeed(name: string, by: string): void {
    successors.set(name, by);
    held.delete(name);
  },
  successorOf: (name: string) => successors.get(name),
};

/** The same call for another object. */
export function handedOn(request: Request, body: unknown): Request {
  const headers = new Headers(request.headers);
  headers.delete("content-length");
  return new Request(request.url, { method: "POST", headers, body: JSON.stringify(body) });
}
