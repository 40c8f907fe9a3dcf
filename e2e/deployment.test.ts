// The files that people deploy the platform with say what the program knows: sources that exist, variables that it reads,
// paths and ports that agree with each other. Reads files only.
import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import test from "node:test";
import { parse } from "yaml";
import { documentedVariables } from "../agent/config.js";

interface Service {
  image: string;
  build: { context: string; target?: string };
  profiles?: string[];
  user?: string;
  environment: Record<string, string>;
  ports: string[];
  volumes?: string[];
}

const read = (file: string) => readFileSync(file, "utf8");
const manifest: { version: string; workspaces: string[]; engines: { node: string } } = JSON.parse(read("package.json"));
const compose: { services: Record<string, Service>; volumes: object } = parse(read("docker-compose.yml"));
const known = new Set(Object.keys(documentedVariables()));

interface Instruction {
  name: string;
  rest: string;
}

/** The instructions, those on several lines as one, comments left out. */
function instructionsOf(file: string): Instruction[] {
  const text = read(file)
    .replace(/^#.*\n/gm, "")
    .replace(/\\\n\s*/g, "");
  return text
    .split("\n")
    .filter(Boolean)
    .map((line) => ({ name: line.split(" ", 1)[0] ?? "", rest: line.slice(line.indexOf(" ") + 1) }));
}

const image = instructionsOf("Dockerfile");
const restOf = (name: string) => image.filter((line) => line.name === name).map(({ rest }) => rest);
const stages = restOf("FROM").map((rest) => rest.split(" AS ")[1] ?? "");
const serving = image.slice(image.findLastIndex(({ name }) => name === "FROM"));

/** Whether a release, named by its number, is within `>=a.b.c <d`. */
function isSupported(release: string): boolean {
  const [, least = "", above = ""] = /^>=(\d+)\S* <(\d+)$/.exec(manifest.engines.node) ?? [];
  const major = Number.parseInt(release, 10);
  return major >= Number(least) && major < Number(above);
}

test("every stage of the image starts from a pinned release of Node that the platform supports, or from another stage", () => {
  const [release = ""] = restOf("ARG").map((rest) => /^NODE=(.+)$/.exec(rest)?.[1] ?? "");
  assert.match(release, /^\d+(\.\d+)*-\w+-slim$/);
  assert.ok(isSupported(release), release);
  const bases = restOf("FROM").map((rest) => rest.split(" ")[0] ?? "");
  for (const base of bases) assert.ok(base === `node:\${NODE}` || stages.includes(base), base);
  assert.equal(stages.at(-1), "platform");
});

test("everything that the image copies is there, is sent to the builder, and comes from a stage that exists", () => {
  const sent = read(".dockerignore").match(/^!.+$/gm) ?? [];
  const tops = sent.map((line) => line.slice(1));
  for (const copied of restOf("COPY")) {
    const [, stage, words = ""] = /^(?:--from=(\w+) )?(.+)$/.exec(copied) ?? [];
    assert.ok(stage === undefined || stages.includes(stage), copied);
    for (const source of words
      .split(" ")
      .slice(0, -1)
      .map((word) => word.replace(/^\/app\//, ""))) {
      if (source === "dist" || source === "node_modules") continue;
      assert.ok(statSync(source, { throwIfNoEntry: false }), source);
      assert.ok(source === "." || tops.includes(source.split("/")[0] ?? ""), source);
    }
  }
  for (const top of tops) assert.ok(statSync(top, { throwIfNoEntry: false }), top);
});

test("the builder is sent every folder of code that the image is made of", () => {
  const sent = read(".dockerignore");
  for (const folder of ["agent", "runtime", "examples", "scripts", ...manifest.workspaces]) {
    assert.match(sent, new RegExp(`^!${folder}$`, "m"));
  }
  const copied = restOf("COPY").join("\n");
  for (const workspace of manifest.workspaces) assert.ok(copied.includes(`${workspace}/package.json`), workspace);
});

test("the image runs without root, keeps its data in a volume and has a check of health", () => {
  const last = (name: string) => serving.findLast((line) => line.name === name)?.rest;
  assert.match(last("USER") ?? "", /^[1-9]\d*:[1-9]\d*$/);
  assert.equal(last("VOLUME"), "/data");
  assert.match(last("HEALTHCHECK") ?? "", /CMD \["node", "scripts\/healthy\.mjs"\]$/);
  assert.deepEqual(JSON.parse(last("ENTRYPOINT") ?? ""), ["tini", "--"]);
  const variables = [...(last("ENV") ?? "").matchAll(/([A-Z_]+)=(\S+)/g)].map(([, name = "", value]) => [name, value]);
  assert.deepEqual(Object.fromEntries(variables), {
    NODE_ENV: "production",
    DATA_DIR: "/data",
    ADMIN_LISTEN: "127.0.0.1:8081",
    WRKST_URL: "http://127.0.0.1:8081",
  });
});

const platform = compose.services.wrkst as Service;

test("compose starts the platform alone, unless a profile is named", () => {
  const always = Object.entries(compose.services).filter(([, service]) => !service.profiles);
  assert.deepEqual(
    always.map(([name]) => name),
    ["wrkst"],
  );
  for (const [name, { image: tag }] of Object.entries(compose.services)) {
    assert.ok(tag.endsWith(`:${manifest.version}`), `${name} is tagged "${tag}"`);
  }
});

test("compose builds from folders and mounts files that are there", () => {
  for (const { build, volumes = [] } of Object.values(compose.services)) {
    assert.ok(statSync(join(build.context, "Dockerfile"), { throwIfNoEntry: false }), build.context);
    if (build.target) assert.ok(stages.includes(build.target), build.target);
    for (const volume of volumes) {
      const [source = ""] = volume.split(":");
      if (source.startsWith(".")) assert.ok(statSync(source, { throwIfNoEntry: false }), source);
      else assert.ok(Object.hasOwn(compose.volumes, source), source);
    }
  }
});

test("compose gives the platform only variables that it reads, and publishes the port that it listens on", () => {
  for (const name of Object.keys(platform.environment)) assert.ok(known.has(name), name);
  assert.equal(platform.environment.DATA_DIR, "/data");
  const port = `\${PORT:-${documentedVariables().PORT}}`;
  assert.ok(platform.ports.some((mapping) => mapping.endsWith(`:${port}:${port}`)));
});

const { healthAddress } = (await import(new URL("../../scripts/healthy.mjs", import.meta.url).href)) as {
  healthAddress(env: Record<string, string>): string;
};

for (const [name, env, address] of [
  ["the image's own socket of the agent", { ADMIN_LISTEN: "127.0.0.1:8081" }, "http://127.0.0.1:8081"],
  ["a port alone", { ADMIN_LISTEN: "9000" }, "http://127.0.0.1:9000"],
  ["every interface as loopback", { ADMIN_LISTEN: "[::]:81" }, "http://[::1]:81"],
  ["the public socket where the agent has none", { ADMIN_LISTEN: "", PORT: "80" }, "http://127.0.0.1:80"],
  ["the public socket on one address of IPv6", { HOST: "fd00::1" }, "http://[fd00::1]:8080"],
] as const) {
  test(`the check of health asks ${name}`, () => assert.equal(healthAddress(env), `${address}/healthz`));
}

const pages = readdirSync("docs").filter((file) => file.endsWith(".md"));

test("every page under docs is linked from the README, and every link of a page leads to a file", () => {
  const readme = read("README.md");
  assert.ok(pages.length > 0);
  for (const page of pages) {
    assert.ok(readme.includes(`(docs/${page})`), page);
    const links = [...read(join("docs", page)).matchAll(/\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)/g)];
    for (const [, link = ""] of links) assert.ok(statSync(join("docs", link), { throwIfNoEntry: false }), link);
  }
});

/** Variables of other programs, and of docker-compose.yml itself. */
const FOREIGN = new Set(["CADDY_DNS", "COMPOSE_PROFILES", "DNS_TOKEN", "LISTEN_ON", "NODE_ENV", "WRKST_URL"]);

test("pages and unit set only variables that the platform reads, or that belong to what stands beside it", () => {
  const files = [...pages.map((page) => join("docs", page)), "docs/systemd/wrkst.service"];
  const set = files.flatMap((file) =>
    [...read(file).matchAll(/(?:^ {4,}|^Environment=|sudo -u wrkst |\b)([A-Z][A-Z0-9]*_[A-Z0-9_]+)=/gm)].map(
      ([, name = ""]) => ({
        file,
        name,
      }),
    ),
  );
  assert.ok(set.length > 20);
  const unknown = set.filter(({ name }) => !known.has(name) && !FOREIGN.has(name));
  assert.deepEqual(unknown, []);
});

interface Workflow {
  permissions: Record<string, string>;
  jobs: Record<string, { strategy?: { matrix: { node: string[] } }; steps: { uses?: string; run?: string }[] }>;
}

test("the workflow may only read, pins its actions, and runs scripts that exist on releases of Node that are supported", () => {
  const workflow: Workflow = parse(read(".github/workflows/ci.yml"));
  assert.deepEqual(workflow.permissions, { contents: "read" });
  const { scripts }: { scripts: Record<string, string> } = JSON.parse(read("package.json"));
  for (const { steps, strategy } of Object.values(workflow.jobs)) {
    for (const { uses, run } of steps) {
      if (uses) assert.match(uses, /@(v\d+|[0-9a-f]{40})$/);
      for (const [, name = ""] of (run ?? "").matchAll(/npm run (?:--silent )?([\w:]+)/g))
        assert.ok(scripts[name], name);
    }
    for (const release of strategy?.matrix.node ?? []) assert.ok(isSupported(release), release);
  }
});

test("the unit starts the built agent, keeps its state in its own folder, and lets V8 compile", () => {
  const unit = read("docs/systemd/wrkst.service");
  const lines = new Set(unit.split("\n"));
  for (const line of ["ExecStart=/usr/bin/node dist/agent/main.js", "Environment=DATA_DIR=/var/lib/wrkst"]) {
    assert.ok(lines.has(line), line);
  }
  for (const line of [
    "StateDirectory=wrkst",
    "NoNewPrivileges=yes",
    "ProtectSystem=strict",
    "CapabilityBoundingSet=",
  ]) {
    assert.ok(lines.has(line), line);
  }
  assert.doesNotMatch(unit, /^MemoryDenyWriteExecute=/m);
});
