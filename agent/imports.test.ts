// Reads the import lines of the project: imports point one way, and one file of each program names the environment (STYLE.md).

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import test from "node:test";

interface Import {
  from: string;
  /** Path without extension, relative to the project; packages are left out. */
  to: string;
  typeOnly: boolean;
}

function filesUnder(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((file) => join(folder, file))
    .filter((file) => file.endsWith(".ts") && !/(^|\/)(node_modules|dist|fixtures)\//.test(file));
}

/** Helpers of tests may reach further: they are in no program. */
const ofTests = (file: string) =>
  /\.test\.ts$|(^|\/)testing[/.]|(^|[/-])(fixtures?|(fake|test|memory)-[\w-]+)\.ts$/.test(file);
const sources = ["agent", "cli", "runtime"].flatMap(filesUnder).filter((file) => !ofTests(file));

function importsOf(file: string): Import[] {
  const text = readFileSync(file, "utf8").replace(/\/\*[\s\S]*?\*\//g, "");
  const lines = text.matchAll(/^\s*(?:import|export)\s+(type\s)?(?:[^;"']*?\sfrom\s+)?["']([^"']+)["']/gm);
  const dynamic = text.matchAll(/()\bimport\(\s*["']([^"']+)["']\s*\)/g);
  return [...lines, ...dynamic]
    .map((match) => ({ typeOnly: match[1] !== undefined && match[1] !== "", name: match[2] ?? "" }))
    .filter(({ name }) => name.startsWith("."))
    .map(({ typeOnly, name }) => ({
      from: file,
      typeOnly,
      to: normalize(join(dirname(file), name)).replace(/\.js$/, ""),
    }));
}

const WORDS = [
  "model",
  "model-access",
  "model-databases",
  "model-deploys",
  "model-notify",
  "model-routes",
  "model-sources",
  "model-status",
  "model-tail",
  "model-trials",
  "constant-time",
  "errors",
  "sqlite",
];
/** Of these a part may know the types, never the code. */
const SETTINGS = ["config", "config-access", "config-contradictions", "config-values", "config-variables", "log"];
/** Each may import what stands after it, and every sibling, which all stand below. */
const UPPER = ["main", "api", "reconcile"];

/** `agent/api/x.ts` → `api`; the files that wire the agent are all `main`. */
function partOf(path: string): string {
  const [, first = "", ...rest] = path.replace(/\.ts$/, "").split("/");
  return rest.length || WORDS.includes(first) || SETTINGS.includes(first) ? first : "main";
}

function allowedInAgent({ from, to, typeOnly }: Import): boolean {
  if (to === "runtime/wire" || to === "runtime/d1/wire") return true;
  if (!to.startsWith("agent/")) return false;
  const [source, target] = [partOf(from), partOf(to)];
  if (source === target) return true;
  if (WORDS.includes(source)) return WORDS.includes(target);
  if (WORDS.includes(target)) return true;
  if (SETTINGS.includes(target))
    return SETTINGS.includes(source) || source === "main" || (typeOnly && UPPER.includes(source));
  if (SETTINGS.includes(source)) return false;
  const level = UPPER.indexOf(source);
  return level >= 0 && (UPPER.indexOf(target) > level || !UPPER.includes(target));
}

const CLI_MAY_RUN = /^agent\/(manifest|bundle)\//;
const CLI_MAY_KNOW = /^(agent\/(model|errors)|runtime\/(d1\/)?wire)$/;

function allowed(line: Import): boolean {
  if (line.from.startsWith("agent/")) return allowedInAgent(line);
  if (line.from.startsWith("runtime/")) return line.to.startsWith("runtime/");
  return line.to.startsWith("cli/") || CLI_MAY_RUN.test(line.to) || (line.typeOnly && CLI_MAY_KNOW.test(line.to));
}

const describe = ({ from, to }: Import) => `${from} imports ${to}`;

test("imports point one way: main, api, reconcile, the parts, then errors and model", () => {
  const breaches = sources.flatMap(importsOf).filter((line) => !allowed(line));
  assert.deepEqual(breaches.map(describe), []);
});

test("the rule sees a breach", () => {
  const line = (from: string, to: string, typeOnly = false) => allowed({ from, to, typeOnly });
  assert.equal(line("agent/plan/plan.ts", "agent/store/index"), false);
  assert.equal(line("agent/store/index.ts", "agent/log", true), false);
  assert.equal(line("agent/reconcile/pass.ts", "agent/api/index"), false);
  assert.equal(line("agent/api/index.ts", "agent/log"), false);
  assert.equal(line("agent/api/index.ts", "agent/log", true), true);
  assert.equal(line("agent/model.ts", "agent/plan/plan"), false);
  assert.equal(line("runtime/router.worker.ts", "agent/model", true), false);
  assert.equal(line("cli/main.ts", "agent/store/index"), false);
  assert.ok(sources.flatMap(importsOf).length > 20);
});

test("one file of the agent names the environment, and one of the command line", () => {
  const expected = ["agent/config.ts", "cli/main.ts"].filter((file) => sources.includes(file));
  assert.deepEqual(sources.filter(namesEnvironment).sort(), expected);
});

function namesEnvironment(file: string): boolean {
  const lines = readFileSync(file, "utf8").split("\n");
  // In quotes it is what the bundler replaces in functions.
  const naming = /(?<!["'`.\w])process\s*\.\s*env\b|\benv\b[^;]*from "node:process"/;
  return lines.some((line) => !/^\s*(\/\/|\*|\/\*)/.test(line) && naming.test(line));
}
