import assert from "node:assert/strict";
import { after, test } from "node:test";
import { serveApi } from "./testing.js";

const served = await serveApi();
after(() => served.close());
const path = "/api/v1/sources/default/commit-status";
const put = (body: object) => served.ask(path, { method: "PUT", body: JSON.stringify(body) });

test("shows the state of commits at a forge from a PUT on, and never answers the token (B8)", async () => {
  const { status, json, text } = await put({ provider: "gitea", token: "t0ken-of-the-forge" });
  assert.deepEqual([status, json.provider, text.includes("t0ken")], [200, "gitea", false]);
  assert.deepEqual(served.telling.statuses.get("default")?.token, "t0ken-of-the-forge");
});

test("refuses tokens that a header cannot carry, and names them not (B8)", async () => {
  for (const token of ["two lines\nX-Evil: 1", "", "ümlaut"]) {
    const { status, text } = await put({ token });
    assert.equal(status, 400);
    assert.ok(token === "" || !text.includes(token));
  }
  assert.equal((await put({ provider: "svn", token: "t" })).status, 400);
  assert.equal((await put({ tokn: "t" })).status, 400);
});

test("shows nothing any more after a DELETE, and says where there was nothing", async () => {
  assert.equal((await served.ask(path, { method: "DELETE" })).status, 204);
  assert.equal((await served.ask(path, { method: "DELETE" })).status, 404);
  assert.equal((await served.ask("/api/v1/sources/other/commit-status", { method: "PUT", body: "{}" })).status, 404);
});
