// Bookmarks of sessions: which writes a session has seen. There is one copy of a database, which has seen them all, so that a
// bookmark only has to sort behind those before it; it costs no write.

/** Workerd's client sends the session's bookmark or constraint in it, and takes a later bookmark from the answer. */
export const BOOKMARK_HEADER = "x-cf-d1-session-commit-token";

const BOOKMARK = /^[0-9a-f]{16}-[0-9a-f]{8}$/;

/** Each is later than those before it and the one that was sent, also over restarts and when the clock goes back. */
export function createBookmarks(now: () => number): (sent: string) => string {
  let last = { time: 0, count: 0 };
  return (sent) => {
    const time = now();
    last = time > last.time ? { time, count: 0 } : { time: last.time, count: last.count + 1 };
    const own = `${hex(last.time, 16)}-${hex(last.count, 8)}`;
    return BOOKMARK.test(sent) && sent > own ? sent : own;
  };
}

function hex(number: number, width: number): string {
  return number.toString(16).padStart(width, "0");
}
