// Takes in the body of a call, and no more of it than may be in memory.

/** @throws Error when it is longer than `limit` bytes, of which then not much more were taken in */
export async function jsonOf(request: Request, limit: number): Promise<unknown> {
  const length = request.headers.get("content-length");
  // Counting the pieces costs a fifth of a whole query, and texts, which is what workerd's client sends, say their length.
  if (length !== null && Number(length) <= limit) return request.json();
  const decoder = new TextDecoder();
  let text = "";
  let room = limit;
  for await (const chunk of request.body ?? []) {
    room -= chunk.byteLength;
    if (room < 0) throw new Error(`the call is too large, expected at most ${limit} bytes: SQLITE_TOOBIG`);
    text += decoder.decode(chunk, { stream: true });
  }
  return JSON.parse(text + decoder.decode());
}
