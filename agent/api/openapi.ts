// The OpenAPI document of `/api/v1`, made from the schemas that the routes check with. Pure but for the route.

import { z } from "zod";
import { ANSWERS } from "./answers.js";
import type { RouteRecord, Routes } from "./routes.js";

const BASE = "/api/v1/";

export function addOpenApiRoute(routes: Routes, { publicUrl }: { publicUrl: () => string }): void {
  const rule = { action: "self", of: "caller" } as const;
  routes.add({ method: "GET", path: `${BASE}openapi.json`, rule, summary: "This document" }, () =>
    openApiDocument(routes.records, publicUrl()),
  );
}

export function openApiDocument(records: RouteRecord[], server: string): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const record of records) {
    if (!record.path.startsWith(BASE) || record.method === "ALL") continue;
    const path = record.path.replace(/[:*](\w+)/g, "{$1}");
    paths[path] = { ...paths[path], [record.method.toLowerCase()]: operationOf(record) };
  }
  return {
    openapi: "3.1.0",
    info: { title: "wrkst", version: "1" },
    servers: [{ url: server }],
    security: [{ token: [] }],
    paths,
    components: {
      securitySchemes: { token: { type: "http", scheme: "bearer" } },
      schemas: { Problem: problemSchema },
      responses: {
        Problem: {
          description: "What went wrong (RFC 9457)",
          content: { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } },
        },
      },
    },
  };
}

const problemSchema = {
  type: "object",
  required: ["type", "title", "status", "detail", "code", "requestId"],
  properties: {
    type: { const: "about:blank" },
    title: { type: "string" },
    status: { type: "integer" },
    detail: { type: "string" },
    code: { type: "string", description: "ERR_…" },
    hint: { type: "string", description: "What to do" },
    requestId: { type: "string" },
  },
};

function operationOf({ method, path, summary, rule, query, body, streams, ...record }: RouteRecord): object {
  const answer = record.answer ?? ANSWERS[`${method} ${path}`];
  const names = [...path.matchAll(/[:*](\w+)/g)].map(([, name = ""]) => name);
  // What streams is not known twice.
  const write = method !== "GET" && rule !== "open" && !streams;
  const parameters = [
    ...names.map((name) => ({ name, in: "path", required: true, schema: { type: "string" } })),
    ...queryParameters(query),
    ...(write ? [{ name: "Idempotency-Key", in: "header", required: false, schema: { type: "string" } }] : []),
  ];
  return {
    operationId: `${method.toLowerCase()} ${path}`.replace(/[^a-z0-9]+/gi, "-").replace(/-$/, ""),
    summary,
    ...(rule === "open" ? { security: [] } : {}),
    ...(parameters.length ? { parameters } : {}),
    ...(body ? { requestBody: { content: { "application/json": { schema: schemaOf(body) } } } } : {}),
    responses: {
      "2XX": {
        description: "Success",
        content: { "application/json": { schema: answer ? schemaOf(answer, "output") : {} } },
      },
      default: { $ref: "#/components/responses/Problem" },
    },
  };
}

function queryParameters(query: z.ZodType | undefined): object[] {
  if (!query) return [];
  const { properties = {}, required = [] } = schemaOf(query) as { properties?: object; required?: string[] };
  return Object.entries(properties).map(([name, schema]) => {
    return { name, in: "query", required: required.includes(name), schema };
  });
}

/** As a client sends it, or gets it. */
function schemaOf(schema: z.ZodType, io: "input" | "output" = "input"): object {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: "any" });
  return rest;
}
