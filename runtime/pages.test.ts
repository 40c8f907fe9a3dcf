import assert from "node:assert/strict";
import { test } from "node:test";
import { page } from "./pages.js";

const request = (accept?: string, method = "GET") =>
  new Request("http://a.test/", { method, headers: accept ? { accept } : {} });

test("a page is JSON only for who prefers JSON", async () => {
  const cases: [string | undefined, boolean][] = [
    [undefined, false],
    ["*/*", false],
    ["text/html,application/xhtml+xml,*/*;q=0.8", false],
    ["application/json", true],
    ["application/json, text/plain, */*", true],
    ["application/problem+json;q=0.9", true],
    ["text/html, application/json", false],
  ];
  for (const [accept, isJson] of cases) {
    const type = page(request(accept), "ERR_NOT_FOUND", "id").headers.get("content-type")!;
    assert.equal(type.startsWith("application/json"), isJson, accept);
  }
});

test("a page has code and request id, in body and header, and is not kept by caches", async () => {
  const answer = page(request(), "ERR_LOAD", "the-id");
  assert.equal(answer.status, 503);
  assert.equal(answer.headers.get("x-request-id"), "the-id");
  assert.equal(answer.headers.get("cache-control"), "no-store");
  assert.equal(answer.headers.get("retry-after"), "1");
  const text = await answer.text();
  assert.match(text, /ERR_LOAD/);
  assert.match(text, /the-id/);
});

test("HEAD gets no body", async () => {
  assert.equal(await page(request(undefined, "HEAD"), "ERR_NOT_FOUND", "id").text(), "");
});
