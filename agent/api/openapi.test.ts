import assert from "node:assert/strict";
import { after, test } from "node:test";
import { ANSWERS } from "./answers.js";
import { serveApi } from "./testing.js";

const served = await serveApi();
after(() => served.close());

interface Document {
  openapi: string;
  paths: Record<
    string,
    Record<string, { operationId: string; parameters?: { name: string; in: string }[]; responses: object }>
  >;
  components: { schemas: Record<string, object>; responses: Record<string, object> };
}
const { json } = await served.ask("/api/v1/openapi.json");
const document = json as unknown as Document;
const operations = Object.entries(document.paths).flatMap(([path, item]) =>
  Object.entries(item).map(([method, operation]) => ({ path, method, operation })),
);

test("describes every route of ours, and nothing else", () => {
  const known = served.api.routes
    .filter(({ path }) => path.startsWith("/api/v1/"))
    .map(({ method, path }) => `${method.toLowerCase()} ${path.replace(/[:*](\w+)/g, "{$1}")}`);
  assert.deepEqual(operations.map(({ path, method }) => `${method} ${path}`).sort(), known.sort());
  assert.equal(new Set(known).size, known.length);
});

test("is well formed: version, unique operations, all parameters of the path, references that lead somewhere", () => {
  assert.match(document.openapi, /^3\.1\./);
  assert.equal(new Set(operations.map(({ operation }) => operation.operationId)).size, operations.length);
  for (const { path, method, operation } of operations) {
    assert.ok(["get", "post", "put", "patch", "delete"].includes(method), method);
    const declared = (operation.parameters ?? []).filter((one) => one.in === "path").map(({ name }) => name);
    assert.deepEqual(
      declared,
      [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name),
    );
    assert.ok(Object.keys(operation.responses).length > 0);
  }
  for (const [, target = ""] of JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)) {
    const found = target
      .split("/")
      .reduce<unknown>((value, key) => (value as Record<string, unknown>)?.[key], document);
    assert.ok(found, target);
  }
});

test("shows the schemas that the routes check with", () => {
  const pin = document.paths["/api/v1/functions/{name}/pins/{alias}"]?.put as unknown as {
    requestBody: { content: Record<string, { schema: { required: string[]; additionalProperties: boolean } }> };
  };
  const { schema } = pin.requestBody.content["application/json"]!;
  assert.deepEqual(schema.required, ["version"]);
  assert.equal(schema.additionalProperties, false);
});

test("says what the main routes answer, as they do", async () => {
  const known = new Set(served.api.routes.map(({ method, path }) => `${method} ${path}`));
  for (const route of Object.keys(ANSWERS)) assert.ok(known.has(route), route);
  served.deploys.seed({ account: "main", name: "hello" });
  const asked: [string, string, object?][] = [
    ["GET", "/api/v1/status"],
    ["GET", "/api/v1/functions"],
    ["GET", "/api/v1/functions/hello"],
    ["GET", "/api/v1/functions/hello/why"],
    ["POST", "/api/v1/functions/hello/restore"],
    ["GET", "/api/v1/sources"],
    ["POST", "/api/v1/sources/default/sync"],
    ["POST", "/api/v1/sources/default/sync?wait=true"],
    ["GET", "/api/v1/events"],
    ["GET", "/api/v1/whoami"],
    ["POST", "/api/v1/tokens", { name: "t", scopes: ["read"] }],
    ["GET", "/api/v1/tokens"],
  ];
  for (const [method, path, body] of asked) {
    const answer = await served.ask(path, { method, ...(body ? { body: JSON.stringify(body) } : {}) });
    assert.ok(answer.status < 300, `${path} ${answer.text}`);
    const route = path.replace("/hello", "/:name").replace("/default", "/:source").split("?")[0];
    const { success, error } = ANSWERS[`${method} ${route}`]!.safeParse(answer.json);
    assert.ok(success, `${path} ${error?.message}`);
  }
  const { responses } = document.paths["/api/v1/status"]!.get as unknown as {
    responses: { "2XX": { content: Record<string, { schema: { properties: object } }> } };
  };
  const { properties } = responses["2XX"].content["application/json"]!.schema;
  assert.deepEqual(Object.keys(properties), ["sources", "functions", "drift", "runtime"]);
});
