import assert from "node:assert/strict";
import { after, test } from "node:test";
import { serveApi } from "../testing.js";

const served = await serveApi();
after(() => served.close());
const { ask, deploys } = served;

test("an account beside main gets a custom host from an administrator only (B7b)", async () => {
  deploys.seed({ account: "other", name: "shop" });
  const wanted = { name: "ci", scopes: ["deploy"], account: "other" };
  const made = await ask("/api/v1/tokens", { method: "POST", body: JSON.stringify(wanted) });
  const token = String(made.json.token);
  const claims = [
    ["routes", [{ pattern: "shop.example.com/*" }]],
    ["domains/records", { origins: [{ hostname: "shop.example.com" }] }],
  ] as const;
  for (const [route, claim] of claims) {
    const put = { method: "PUT", body: JSON.stringify(claim) };
    const path = `/client/v4/accounts/other/workers/scripts/shop/${route}`;
    const refused = await ask(path, { ...put, token });
    assert.deepEqual([refused.status, refused.json.success], [403, false], refused.text);
    assert.equal((await ask(path, put)).status, 200);
  }
});

test("routes and custom domains of one deploy both hold: each call replaces its own", async () => {
  deploys.seed({ account: "main", name: "both" });
  const path = "/client/v4/accounts/main/workers/scripts/both";
  const put = (route: string, body: object) => ask(`${path}/${route}`, { method: "PUT", body: JSON.stringify(body) });
  assert.equal((await put("routes", [{ pattern: "a.example.com/*" }])).status, 200);
  assert.equal((await put("domains/records", { origins: [{ hostname: "b.example.com" }] })).status, 200);
  assert.deepEqual(deploys.known.get("both")?.hosts, { route: ["a.example.com"], domain: ["b.example.com"] });
});
