import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { NOW, servePlatform, TOKEN } from "./test-platform.js";
import { parseLine, parseScript, transcript, wrkst } from "./testing.js";

const folder = await mkdtemp(join(tmpdir(), "wrkst-scripts-"));
after(() => rm(folder, { recursive: true, force: true }));

const FILES = {
  "greet/wrangler.toml":
    'name = "greet"\nmain = "index.ts"\ncompatibility_date = "2026-11-01"\n\n[vars]\nGREETING = "Hi"\n',
  "greet/index.ts": "export default { fetch: () => new Response('hi') };\n",
  "shop/wrangler.jsonc": '{ "name": "shop", "main": "index.js", "compatibility_date": "2026-11-01" }',
  "shop/index.js": "export default { fetch: () => new Response('shop') };\n",
  "broken/wrangler.toml": 'name = "broken"\nmain = "index.ts"\ncompatibility_date = "2026-11-01"\n',
  "broken/index.ts": "export default {\n  fetch() { return 1 + ; },\n};\n",
  "odd/wrangler.toml": 'name = "Odd One"\nmain = "index.ts"\n',
  ".env": "A=1\nB=two\n",
  key: "a private key\n",
  signers: "ana@example.com ssh-ed25519 AAAA\n",
};

for (const name of ["deploy", "versions", "holds", "secrets", "access", "init", "speech", "sources", "webhooks"]) {
  test(`speaks as written in testdata/${name}.txt`, async () => {
    const place = await mkdtemp(join(folder, "place-"));
    // A repository of its own: what may be imported ends here.
    for (const [path, content] of Object.entries({ ...FILES, ".git/HEAD": "" })) {
      await mkdir(dirname(join(place, path)), { recursive: true });
      await writeFile(join(place, path), content);
    }
    const served = await servePlatform();
    try {
      const env = { WRKST_URL: served.url, WRKST_TOKEN: TOKEN, WRKST_ACCOUNT: "ada" };
      for (const { command, expected } of parseScript(await readFile(`cli/testdata/${name}.txt`, "utf8"))) {
        const { args, input, pick } = parseLine(command);
        const result = await wrkst(args, { env, folder: place, home: place, input, now: NOW });
        const said = transcript(result, pick).replaceAll(served.url, "http://server").replaceAll(place, "/place");
        assert.equal(said, expected, `$ ${command}`);
      }
    } finally {
      await served.close();
    }
  });
}
