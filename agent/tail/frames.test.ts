import assert from "node:assert/strict";
import { test } from "node:test";
import { fc } from "../test-properties.js";
import { CLOSE, createFrameReader, encodeClose, encodeFrame, OPCODE } from "./frames.js";

/** A frame as a client sends it. */
function masked(opcode: number, payload: Buffer, mask = Buffer.from([1, 2, 3, 4])): Buffer {
  const plain = encodeFrame(opcode, payload);
  const start = plain.length - payload.length;
  const head = Buffer.from(plain.subarray(0, start));
  head[1]! |= 0x80;
  return Buffer.concat([head, mask, payload.map((byte, index) => byte ^ mask[index % 4]!)]);
}

const FIRST = Buffer.from('{"debug":false}');

test("takes wrangler's first frame, which is unmasked, and the masked ones behind it", () => {
  const read = createFrameReader();
  const ping = Buffer.from("wrangler tail ping");
  assert.deepEqual(read(Buffer.concat([encodeFrame(OPCODE.text, FIRST), masked(OPCODE.ping, ping)])), [
    { opcode: OPCODE.text, payload: FIRST },
    { opcode: OPCODE.ping, payload: ping },
  ]);
});

test("reads the same frames however the bytes are cut", () => {
  const frame = fc.record({ size: fc.integer({ min: 0, max: 4096 }), isMasked: fc.boolean() });
  fc.assert(
    fc.property(
      fc.array(frame, { maxLength: 5 }),
      fc.infiniteStream(fc.integer({ min: 1, max: 3000 })),
      (frames, cuts) => {
        const payloads = frames.map(({ size }, index) => Buffer.alloc(size, index + 1));
        let bytes = Buffer.concat(
          payloads.map((payload, index) => (frames[index]!.isMasked ? masked : encodeFrame)(OPCODE.binary, payload)),
        );
        const read = createFrameReader();
        const got: Buffer[] = [];
        while (bytes.length) {
          const length = cuts.next().value as number;
          const found = read(bytes.subarray(0, length));
          assert.ok(typeof found !== "number");
          got.push(...found.map(({ payload }) => payload));
          bytes = bytes.subarray(length);
        }
        assert.deepEqual(got, payloads);
      },
    ),
  );
});

test("answers bytes that are no frame of a tail's client with a close code", () => {
  const bad: [string, number[], number][] = [
    ["a reserved bit", [0xc1, 0], CLOSE.protocol],
    ["an unknown opcode", [0x83, 0], CLOSE.protocol],
    ["a ping in pieces", [0x09, 0], CLOSE.protocol],
    ["a long ping", [0x89, 126, 0, 200], CLOSE.protocol],
    ["a frame over the limit", [0x81, 126, 0x10, 1], CLOSE.tooBig],
    ["a frame of gigabytes", [0x81, 127, 0, 0, 0, 1], CLOSE.tooBig],
  ];
  for (const [name, bytes, code] of bad) assert.equal(createFrameReader()(Buffer.from(bytes)), code, name);
});

test("never throws, whatever comes", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 10 }), (chunks) => {
      const read = createFrameReader();
      for (const chunk of chunks) if (typeof read(Buffer.from(chunk)) === "number") return;
    }),
  );
});

test("writes lengths in the form that they need", () => {
  for (const [size, head] of [
    [0, [0x81, 0]],
    [125, [0x81, 125]],
    [126, [0x81, 126, 0, 126]],
    [0xffff, [0x81, 126, 0xff, 0xff]],
    [0x1_0000, [0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]],
  ] as const) {
    assert.deepEqual([...encodeFrame(OPCODE.text, Buffer.alloc(size)).subarray(0, head.length)], head);
  }
  assert.deepEqual([...encodeClose(CLOSE.normal)], [0x88, 2, 0x03, 0xe8]);
});
