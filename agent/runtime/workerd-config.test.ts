import assert from "node:assert/strict";
import { test } from "node:test";
import { D1_DEFAULTS } from "../../runtime/d1/wire.js";
import { checkerConfig, rehearsalConfig, type ServingOptions, servingConfig } from "./workerd-config.js";

const OPTIONS: ServingOptions = {
  routerJs: "export default {}",
  listen: { address: "*:8080" },
  controlSocket: "/run/control.sock",
  agentSocket: "/run/agent.sock",
  databaseSocket: "/run/d1.sock",
  dataDir: "/data",
  settings: {
    baseDomain: "localhost",
    apiHosts: [],
    useForwardedHost: false,
    trustedProxies: [],
    maxIsolates: 1,
    d1: D1_DEFAULTS,
  },
  egress: { allow: [], deny: [] },
};

/** The lists of a network service, by its name. */
function networkOf(config: string, name: string): { allow: string[]; deny: string[] } {
  const [, allow, deny] = new RegExp(`"${name}", network = \\(allow = \\[(.*?)\\], deny = \\[(.*?)\\]`, "s").exec(
    config,
  )!;
  const items = (list: string) => [...list.matchAll(/"(.*?)"/g)].map((match) => match[1]!);
  return { allow: items(allow!), deny: items(deny!) };
}

test("quotes what it is given, so that no text can end its string", () => {
  const config = servingConfig({ ...OPTIONS, routerJs: 'a "quoted" \\n\tline\n$(x) é \u0007' });
  assert.ok(config.includes('esModule = "a \\"quoted\\" \\\\n\\x09line\\n$(x) é \\x07")'), config);
});

test("B6: no outbound reaches NAT64, 6to4 and carrier ranges, and only the private one what the operator allows", () => {
  const config = servingConfig({ ...OPTIONS, egress: { allow: ["10.1.0.0/16"], deny: ["203.0.113.0/24"] } });
  const ranges = ["64:ff9b::/96", "2002::/16", "100.64.0.0/10", "203.0.113.0/24"];
  const [open, secluded] = [networkOf(config, "public"), networkOf(config, "private")];
  assert.deepEqual(open.allow, ["public"]);
  assert.deepEqual(secluded.allow, ["public", "10.1.0.0/16"]);
  for (const range of ranges) assert.ok(open.deny.includes(range) && secluded.deny.includes(range), range);
  assert.deepEqual(networkOf(config, "none").allow, []);
});

test("B10: the public socket strips the headers that only the platform sets", () => {
  const config = servingConfig(OPTIONS);
  const socket = /"public", address[\s\S]*?http = \(([\s\S]*?)\)\)/.exec(config)![1]!;
  assert.match(socket, /"cf-connecting-ip"\)/);
  assert.match(socket, /"x-request-id"\)/);
});

test("the checker has neither public socket nor data nor network", () => {
  const config = checkerConfig({ checkerJs: "", controlSocket: "/run/check.sock" });
  assert.doesNotMatch(config, /disk|external|name = "public"|allow = \[\s*"/);
  assert.match(config, /globalOutbound = "none"/);
});

test("what SQL is rehearsed in has a folder of its own, and neither public socket nor network nor secrets", () => {
  const config = rehearsalConfig({ rehearsalJs: "", controlSocket: "/run/r.sock", folder: "/tmp/r", d1: D1_DEFAULTS });
  assert.doesNotMatch(config, /external|name = "public"|allow = \[\s*"|workerLoader|fromEnvironment/);
  assert.deepEqual(config.match(/disk = .*/g), ['disk = (path = "/tmp/r/do", writable = true)),']);
  assert.match(config, /globalOutbound = "none"/);
});

test("one process opens the databases: a ward has no disk of theirs, only the way to that process", () => {
  const serving = servingConfig(OPTIONS);
  assert.match(serving, /"do", disk = \(path = "\/data\/do", writable = true\)/);
  assert.match(serving, /"databases", address = "unix:\/run\/d1\.sock"[^\n]*entrypoint = "Databases"/);
  const ward = servingConfig({ ...OPTIONS, isWard: true });
  assert.doesNotMatch(ward, /writable|durableObject|"DATABASES"|entrypoint = "Databases"/);
  assert.match(ward, /"d1", external = \(address = "unix:\/run\/d1\.sock"/);
});
