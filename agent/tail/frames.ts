// Frames of the WebSocket protocol (RFC 6455), as far as a tail needs them. Pure. Unmasked frames of the client are taken
// too: wrangler sends its first one so.

export const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;
const KNOWN: readonly number[] = Object.values(OPCODE);

export const CLOSE = { normal: 1000, goingAway: 1001, protocol: 1002, tooBig: 1009 } as const;

/** Clients of a tail have little to say. */
const MAX_PAYLOAD = 4096;
const MAX_CONTROL_PAYLOAD = 125;

export interface Frame {
  opcode: number;
  payload: Buffer;
}

/** One frame as a server sends it: whole, unmasked. */
export function encodeFrame(opcode: number, payload: Buffer): Buffer {
  const { length } = payload;
  const head = Buffer.alloc(length < 126 ? 2 : length < 0x1_0000 ? 4 : 10);
  head[0] = 0x80 | opcode;
  if (length < 126) head[1] = length;
  else if (length < 0x1_0000) {
    head[1] = 126;
    head.writeUInt16BE(length, 2);
  } else {
    head[1] = 127;
    head.writeBigUInt64BE(BigInt(length), 2);
  }
  return Buffer.concat([head, payload]);
}

/** A close frame with its code. */
export function encodeClose(code: number): Buffer {
  const payload = Buffer.alloc(2);
  payload.writeUInt16BE(code);
  return encodeFrame(OPCODE.close, payload);
}

/** Takes bytes as they come, answers the frames that are whole by now, or the close code that the bytes deserve. */
export function createFrameReader(): (bytes: Buffer) => Frame[] | number {
  let rest: Buffer = Buffer.alloc(0);
  return (bytes) => {
    rest = rest.length ? Buffer.concat([rest, bytes]) : bytes;
    const frames: Frame[] = [];
    for (;;) {
      const found = decodeFrame(rest);
      if (typeof found === "number") return found;
      if (!found) return frames;
      frames.push(found.frame);
      rest = rest.subarray(found.length);
    }
  };
}

/** The first frame of the bytes; undefined while it is not whole; the close code where it can be none. */
function decodeFrame(bytes: Buffer): { frame: Frame; length: number } | number | undefined {
  if (bytes.length < 2) return undefined;
  const [first, second] = bytes as unknown as [number, number];
  const opcode = first & 0x0f;
  const isControl = opcode >= OPCODE.close;
  // No extension was agreed on, so that the reserved bits are none of ours; control frames come in one piece.
  if (first & 0x70 || !KNOWN.includes(opcode) || (isControl && !(first & 0x80))) return CLOSE.protocol;
  const short = second & 0x7f;
  if (isControl && short > MAX_CONTROL_PAYLOAD) return CLOSE.protocol;
  if (short === 127) return CLOSE.tooBig;
  const sizeEnd = short === 126 ? 4 : 2;
  if (bytes.length < sizeEnd) return undefined;
  const size = short === 126 ? bytes.readUInt16BE(2) : short;
  if (size > MAX_PAYLOAD) return CLOSE.tooBig;
  const start = sizeEnd + (second & 0x80 ? 4 : 0);
  if (bytes.length < start + size) return undefined;
  const payload = Buffer.from(bytes.subarray(start, start + size));
  if (start > sizeEnd) for (let i = 0; i < size; i++) payload[i]! ^= bytes[sizeEnd + (i % 4)]!;
  return { frame: { opcode, payload }, length: start + size };
}
