// A bundle as the multipart body that a client would upload it with. Pure.

import { randomUUID } from "node:crypto";
import type { Bundle, ModuleKind } from "../../model.js";

const TYPE_BY_KIND: Record<ModuleKind, string> = {
  esm: "application/javascript+module",
  cjs: "application/javascript",
  wasm: "application/wasm",
  text: "text/plain",
  json: "application/json",
  data: "application/octet-stream",
};

export function formOf({ modules }: Pick<Bundle, "modules">): { type: string; body: Buffer } {
  const boundary = `wrkst-${randomUUID()}`;
  const chunks = modules.flatMap(({ name, kind, bytes }) => {
    const quoted = `"${name.replaceAll('"', "%22")}"`;
    const head = [
      `--${boundary}`,
      `Content-Disposition: form-data; name=${quoted}; filename=${quoted}`,
      `Content-Type: ${TYPE_BY_KIND[kind]}`,
    ];
    return [Buffer.from(`${head.join("\r\n")}\r\n\r\n`), Buffer.from(bytes), Buffer.from("\r\n")];
  });
  const body = Buffer.concat([...chunks, Buffer.from(`--${boundary}--\r\n`)]);
  return { type: `multipart/form-data; boundary=${boundary}`, body };
}
