import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { build } from "esbuild";
import { mapErrorPositions } from "./positions.js";

const source = `import { shout } from "./shout";

interface Unused { a: string }

export default { fetch: () => new Response(shout("a")) };
shout(null as unknown as string);
`;
const shout = `
export function shout(text: string) {
  return text.toUpperCase();
}
`;

async function bundled() {
  const root = await mkdtemp(join(tmpdir(), "wrkst-positions-"));
  try {
    await writeFile(join(root, "index.ts"), source);
    await writeFile(join(root, "shout.ts"), shout);
    const result = await build({
      entryPoints: [join(root, "index.ts")],
      bundle: true,
      minify: true,
      format: "esm",
      sourcemap: "external",
      write: false,
      outfile: join(root, "index.js"),
    });
    const output = (end: string) => result.outputFiles.find((file) => file.path.endsWith(end))?.text ?? "";
    return { code: output("index.js"), maps: { "index.js": output(".map") } };
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

test("places of a built module become places of its sources, and the first is the position", async () => {
  const { code, maps } = await bundled();
  const column = code.indexOf("toUpperCase") + 1;
  const call = code.lastIndexOf("(null") + 1;
  const message = `Failed to start Worker:\nUncaught TypeError: no\n  at index.js:1:${column} in o\n  at index.js:1:${call}`;
  const mapped = mapErrorPositions(message, maps);
  assert.deepEqual(mapped.position, { file: "shout.ts", line: 3, column: 15 });
  assert.match(mapped.message, /^ {2}at shout\.ts:3:15 in o\n {2}at index\.ts:6:\d+$/m);
});

const map = JSON.stringify({ version: 3, sources: ["src/a.ts"], names: [], mappings: "AAAA" });
const untouched: [string, string, Record<string, string>][] = [
  ["a module without a map", "at lib/index.js:1:1", { "index.js": map }],
  ["a module whose name only ends alike", "at my-index.js:1:1 at xindex.js:1:1", { "index.js": map }],
  ["a map that is broken", "at index.js:1:1", { "index.js": "{" }],
  ["a place that the map does not know", "at index.js:9:1", { "index.js": map }],
  ["line 0", "at index.js:0:0", { "index.js": map }],
  ["no maps at all", "at index.js:1:1", {}],
];
for (const [name, message, maps] of untouched) {
  test(`a message stays as it is for ${name}`, () => assert.deepEqual(mapErrorPositions(message, maps), { message }));
}

test("names with characters that mean something in patterns are taken literally", () => {
  const mapped = mapErrorPositions("at (a+b).js:1:1", { "(a+b).js": map });
  assert.deepEqual(mapped.position, { file: "src/a.ts", line: 1, column: 1 });
});
