// Server-sent events out of an answer (WHATWG HTML, 9.2), as far as our server sends them.

export interface ServerEvent {
  /** To go on from, by `Last-Event-ID`. */
  id?: string;
  kind?: string;
  /** Empty where only the id moves on. */
  data: string;
}

/** Each event as it arrives. */
export async function* readEvents({ body }: Response): AsyncGenerator<ServerEvent> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of body ?? []) {
    const blocks = (rest + decoder.decode(chunk, { stream: true })).split(/\r?\n\r?\n/);
    rest = blocks.pop() ?? "";
    for (const block of blocks) {
      const lines = block.split(/\r?\n/);
      const valuesOf = (field: string) =>
        lines.filter((line) => line.startsWith(`${field}:`)).map((line) => line.slice(field.length + 1).trimStart());
      const [id, kind, data] = [valuesOf("id").at(-1), valuesOf("event").at(-1), valuesOf("data")];
      if (id === undefined && data.length === 0) continue;
      yield { ...(id === undefined ? {} : { id }), ...(kind === undefined ? {} : { kind }), data: data.join("\n") };
    }
  }
}
