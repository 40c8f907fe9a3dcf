// For tests: what a small function's wrangler file says. Pure.
import type { Manifest } from "./model.js";

/** A manifest with every key at its default, and the changes of the test. */
export function testManifest(change: Partial<Manifest> = {}): Manifest {
  return {
    name: "hello",
    main: "index.ts",
    compatibilityDate: "2026-08-01",
    compatibilityFlags: [],
    vars: {},
    d1Databases: [],
    rules: [],
    alias: {},
    define: {},
    noBundle: false,
    findAdditionalModules: false,
    minify: false,
    keepNames: true,
    preserveFileNames: false,
    hosts: [],
    workersDev: true,
    previewUrls: true,
    observability: false,
    egress: "public",
    preview: true,
    ...change,
  };
}
