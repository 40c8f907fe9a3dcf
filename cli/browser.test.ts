import assert from "node:assert/strict";
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { openBrowser } from "./browser.js";

test("hands the page to the system's opener as one word, and no token with it", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "wrkst-browser-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const seen = join(folder, "seen");
  await writeFile(
    join(folder, "xdg-open"),
    `#!/bin/sh\nprintf '%s|%s' "$*" "$WRKST_TOKEN" > ${seen}.new && mv ${seen}.new ${seen}\n`,
  );
  await chmod(join(folder, "xdg-open"), 0o755);
  const env = { PATH: `${folder}:${process.env.PATH}`, DISPLAY: ":0", WRKST_TOKEN: "secret" };
  const page = "http://localhost/?a=$(id)&b=;c";
  assert.equal(await openBrowser(page, "linux", env), true);
  let text: string | undefined;
  while (text === undefined) {
    text = await readFile(seen, "utf8").catch(() => undefined);
    if (text === undefined) await delay(5);
  }
  assert.equal(text, `${page}|`);
});

test("shows nothing where there is no display, no opener, or no page", async () => {
  const page = "http://localhost/";
  assert.equal(await openBrowser(page, "linux", { PATH: process.env.PATH }), false);
  assert.equal(await openBrowser(page, "darwin", { PATH: "/nowhere" }), false);
  assert.equal(await openBrowser("file:///etc/passwd", "darwin", { PATH: process.env.PATH }), false);
});
