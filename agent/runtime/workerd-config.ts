// Writes the configurations that workerd is started with, as capnp text. Pure: reads no file and knows no default.
import { D1_UNIQUE_KEY, type D1Settings } from "../../runtime/d1/wire.js";
import { HEADER, type RouterSettings, SECRETS_KEY_VARIABLE, WARD_HEADER } from "../../runtime/wire.js";

export interface ServingOptions {
  /** Source text of `dist/runtime/router.worker.js`. */
  routerJs: string;
  /** As workerd takes it, e.g. `*:8080`, `127.0.0.1:0`. */
  listen: { address: string };
  /** Absolute path of the unix socket on which the router takes control calls. */
  controlSocket: string;
  /** Absolute path of the unix socket on which the agent answers the API. */
  agentSocket: string;
  /** Absolute path of the unix socket on which the process that opens the databases answers the wards. */
  databaseSocket: string;
  /** Absolute; the folders `routes`, `artifacts` and `do` in it must exist when workerd starts. */
  dataDir: string;
  settings: RouterSettings;
  /** Absolute paths of the unix sockets on which the wards answer. */
  wardSockets?: string[];
  /** Whether it is a ward: what the router tells of the connection counts, and it opens no database: one process does. */
  isWard?: boolean;
  /** CIDRs: `allow` is what the private outbound reaches beside the internet, `deny` is refused by both. */
  egress: { allow: string[]; deny: string[] };
}

export interface CheckerOptions {
  /** Source text of `dist/runtime/checker.worker.js`. */
  checkerJs: string;
  /** Absolute path of the unix socket on which it answers CHECK_PATH. */
  controlSocket: string;
}

export interface RehearsalOptions {
  /** Source text of `dist/runtime/rehearsal.worker.js`. */
  rehearsalJs: string;
  /** Absolute path of the unix socket on which it answers the calls about databases. */
  controlSocket: string;
  /** Absolute; the folder `do` in it, which must exist when workerd starts, is the disk of the objects. */
  folder: string;
  /** Of the databases that are rehearsed. */
  d1: D1Settings;
}

/** What "public" must not mean, though it is not private by the standards: NAT64, 6to4 and carrier ranges lead inside. */
const NEVER_PUBLIC = ["64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "100.64.0.0/10"];
const EVERYTHING = ["0.0.0.0/0", "::/0"];
const COMPATIBILITY_DATE = "2026-08-01";

/**
 * The serving process: router, databases, its outbound networks, and sockets named `public`, `control` and `databases`; or a
 * ward. Start it with `--experimental`.
 */
export function servingConfig(options: ServingOptions): string {
  const { dataDir, egress } = options;
  // Of the blocks that hold an address the smallest decides, and among equals the one that denies.
  const deny = [...NEVER_PUBLIC.filter((block) => !egress.allow.includes(block)), ...egress.deny];
  // Two narrow folders rather than DATA_DIR: the router can then never be talked into reading `secrets/` or the registry.
  // In a cluster both become `bucket` services; the router only fetches from what the bindings name.
  const services = [
    `(name = "router", worker = .router)`,
    `(name = "agent", external = (address = ${text(`unix:${options.agentSocket}`)}, http = (style = host)))`,
    `(name = "routes", disk = (path = ${text(`${dataDir}/routes`)}))`,
    `(name = "artifacts", disk = (path = ${text(`${dataDir}/artifacts`)}))`,
    network("public", ["public"], [...NEVER_PUBLIC, ...egress.deny]),
    network("private", ["public", ...egress.allow], deny),
    network("none", [], EVERYTHING),
  ];
  const connection = `cfBlobHeader = ${text(WARD_HEADER)}`;
  const wards = (options.wardSockets ?? []).map((path, index) => ({
    service: `(name = "ward-${index}", external = (address = ${text(`unix:${path}`)}, http = (style = host, ${connection})))`,
    binding: `(name = "WARD_${index}", service = "ward-${index}")`,
  }));
  const names = options.isWard ? Object.values(HEADER) : [...Object.values(HEADER), WARD_HEADER];
  const stripped = names.map((name) => `(name = ${text(name)})`);
  const sockets = [
    `(name = "public", address = ${text(options.listen.address)}, service = "router",
      http = (injectRequestHeaders = ${list(stripped)}${options.isWard ? `, ${connection}` : ""}))`,
    socket("control", options.controlSocket, `(name = "router", entrypoint = "Control")`),
  ];
  const databases = options.isWard ? elsewhere(options) : databasesOf(options);
  sockets.push(...databases.sockets);
  return config([...services, ...wards.map((ward) => ward.service), ...databases.services], sockets, {
    name: "router",
    source: options.routerJs,
    objects: databases.objects,
    bindings: [
      `(name = "LOADER", workerLoader = (id = "functions"))`,
      `(name = "SETTINGS", json = ${text(JSON.stringify(options.settings))})`,
      `(name = "SECRETS_KEY", fromEnvironment = ${text(SECRETS_KEY_VARIABLE)})`,
      ...["AGENT", "ROUTES", "ARTIFACTS", "PUBLIC", "PRIVATE", "NONE"].map(service),
      ...wards.map((ward) => ward.binding),
      TEMPLATE,
      ...databases.bindings,
    ],
  });
}

/** workerd's own client of databases, of which the bindings of functions are made. */
const TEMPLATE = `(name = "D1_TEMPLATE", wrapped = (moduleName = "cloudflare-internal:d1-api",
      innerBindings = [(name = "fetcher", service = "none")]))`;

/** Databases are objects of the router. Their disk is opened by one process only. */
function databasesOf({ dataDir, databaseSocket }: ServingOptions) {
  return {
    services: [disk(dataDir)],
    sockets: [socket("databases", databaseSocket, `(name = "router", entrypoint = "Databases")`)],
    bindings: [OBJECTS_BINDING],
    objects: OBJECTS,
  };
}

const OBJECTS_BINDING = `(name = "DATABASES", durableObjectNamespace = "D1Database")`;
const OBJECTS = `durableObjectNamespaces = [
    (className = "D1Database", uniqueKey = ${text(D1_UNIQUE_KEY)}, enableSql = true),
  ],
  durableObjectStorage = (localDisk = "do"),
  `;

function disk(folder: string): string {
  return `(name = "do", disk = (path = ${text(`${folder}/do`)}, writable = true))`;
}

function elsewhere({ databaseSocket }: ServingOptions) {
  const address = text(`unix:${databaseSocket}`);
  return {
    services: [`(name = "d1", external = (address = ${address}, http = (style = host)))`],
    sockets: [],
    bindings: [service("D1")],
    objects: undefined,
  };
}

/** The checker's process: loads what it is given with no network and no data. Start it with `--experimental`. */
export function checkerConfig(options: CheckerOptions): string {
  const services = [`(name = "checker", worker = .checker)`, network("none", [], EVERYTHING)];
  return config(services, [socket("control", options.controlSocket, `"checker"`)], {
    name: "checker",
    source: options.checkerJs,
    bindings: [`(name = "LOADER", workerLoader = (id = "checks"))`, service("NONE"), TEMPLATE],
  });
}

/** The process that tries SQL out on copies: databases of its own folder, and nothing else. Start it with `--experimental`. */
export function rehearsalConfig({ rehearsalJs, controlSocket, folder, d1 }: RehearsalOptions): string {
  // What is slow there is nobody's query.
  const settings = JSON.stringify({ d1: { ...d1, slow: Number.MAX_SAFE_INTEGER } });
  const services = [`(name = "rehearsal", worker = .rehearsal)`, disk(folder), network("none", [], EVERYTHING)];
  return config(services, [socket("control", controlSocket, `"rehearsal"`)], {
    name: "rehearsal",
    source: rehearsalJs,
    objects: OBJECTS,
    bindings: [OBJECTS_BINDING, `(name = "SETTINGS", json = ${text(settings)})`],
  });
}

function config(
  services: string[],
  sockets: string[],
  worker: { name: string; source: string; bindings: string[]; objects?: string | undefined },
): string {
  return `using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = ${list(services)},
  sockets = ${list(sockets)},
);

const ${worker.name} :Workerd.Worker = (
  modules = [(name = ${text(`${worker.name}.js`)}, esModule = ${text(worker.source)})],
  compatibilityDate = ${text(COMPATIBILITY_DATE)},
  compatibilityFlags = ["experimental"],
  globalOutbound = "none",
  ${worker.objects ?? ""}bindings = ${list(worker.bindings)},
);
`;
}

function network(name: string, allow: string[], deny: string[]): string {
  const blocks = `allow = ${list(allow.map(text))}, deny = ${list(deny.map(text))}`;
  return `(name = ${text(name)}, network = (${blocks}, tlsOptions = (trustBrowserCas = true)))`;
}

function socket(name: string, path: string, designator: string): string {
  return `(name = ${text(name)}, address = ${text(`unix:${path}`)}, http = (), service = ${designator})`;
}

function service(binding: string): string {
  return `(name = ${text(binding)}, service = ${text(binding.toLowerCase())})`;
}

function list(items: string[]): string {
  return items.length ? `[\n    ${items.join(",\n    ")},\n  ]` : "[]";
}

/** A capnp string literal. Unlike JSON's, its escapes name bytes, so that only control characters are escaped by number. */
function text(value: string): string {
  const escaped = value.replace(/[\\"\x00-\x1f\x7f]/g, (character) => {
    if (character === "\\" || character === '"') return `\\${character}`;
    if (character === "\n") return "\\n";
    return `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`;
  });
  return `"${escaped}"`;
}
