// Tells the agent's calls to an object from those of functions. The key is made in this process and lives in this module
// alone: no isolate of a function ever has it, and no environment, file or answer holds it.

const HEADER = "x-wrkst-d1-key";
let key: string | undefined;

/** A call to an object that may do what functions may not. */
export function privileged(path: string, body: string): Request {
  // Not at module scope, where workerd has no random values.
  key ??= crypto.randomUUID() + crypto.randomUUID();
  return new Request(`http://d1${path}`, { method: "POST", headers: { [HEADER]: key }, body });
}

export function isPrivileged(request: Request): boolean {
  const given = request.headers.get(HEADER);
  if (given === null || key === undefined || given.length !== key.length) return false;
  const encoder = new TextEncoder();
  return crypto.subtle.timingSafeEqual(encoder.encode(given), encoder.encode(key));
}
