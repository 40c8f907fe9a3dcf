import assert from "node:assert/strict";
import { test } from "node:test";
import { candidatesOf } from "./resolve.js";

test("a revision is the name of a branch or a tag, and an expression is refused as one", () => {
  assert.deepEqual(candidatesOf("v1"), ["refs/heads/v1", "refs/tags/v1"]);
  for (const expression of ["main~1", "main^", "HEAD@{1}", "a..b", "--all"]) {
    assert.throws(() => candidatesOf(expression), { code: "ERR_GIT_REFUSED", hint: /rev-parse/ }, expression);
  }
});
