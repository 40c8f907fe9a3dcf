// Which of Node's modules a function may import, and which of them workerd has at its compatibility date. Pure.

import type { Manifest } from "../model.js";

/** `full`: nodejs_compat. `als`: AsyncLocalStorage only. `none`: importing `node:` is an error. */
export type NodeMode = "full" | "als" | "none";

/** From this date on workerd implies nodejs_compat. */
const IMPLIED_FROM = "2026-08-04";

export function nodeMode({ compatibilityDate, compatibilityFlags }: CompatibilityOf): NodeMode {
  const flags = new Set(compatibilityFlags);
  if (flags.has("nodejs_compat") || flags.has("nodejs_compat_v2")) return "full";
  if (compatibilityDate >= IMPLIED_FROM && !flags.has("no_nodejs_compat")) return "full";
  return flags.has("nodejs_als") ? "als" : "none";
}
type CompatibilityOf = Pick<Manifest, "compatibilityDate" | "compatibilityFlags">;

/** In workerd whenever nodejs_compat is on. */
const ALWAYS = `_stream_duplex _stream_passthrough _stream_readable _stream_transform _stream_writable _tls_common
  _tls_wrap assert assert/strict async_hooks buffer constants crypto diagnostics_channel dns dns/promises events module
  net path path/posix path/win32 process querystring stream stream/consumers stream/promises stream/web string_decoder
  sys test timers timers/promises tls url util util/types zlib`.split(/\s+/);

/** Date from which on workerd has the modules; `enable_nodejs_…` and `disable_nodejs_…` flags override it. */
const FROM: [date: string, flag: string, modules: string][] = [
  ["2025-08-15", "http_modules", "_http_agent _http_client _http_common _http_incoming _http_outgoing http https"],
  ["2025-09-01", "http_server_modules", "_http_server"],
  ["2025-09-01", "http2_module", "http2"],
  ["2025-09-15", "os_module", "os"],
  ["2025-09-15", "fs_module", "fs fs/promises"],
  ["2025-09-21", "console_module", "console"],
  ["2025-10-01", "vm_module", "vm"],
  ["2025-12-04", "punycode_module", "punycode"],
  ["2025-12-04", "cluster_module", "cluster"],
  ["2025-12-04", "trace_events_module", "trace_events"],
  ["2025-12-04", "domain_module", "domain"],
  ["2025-12-04", "wasi_module", "wasi"],
  ["2026-01-29", "inspector_module", "inspector inspector/promises"],
  ["2026-01-29", "sqlite_module", "sqlite"],
  ["2026-01-29", "dgram_module", "dgram"],
  ["2026-01-29", "stream_wrap_module", "_stream_wrap"],
  ["2026-03-17", "repl_module", "repl"],
  ["2026-03-17", "v8_module", "v8"],
  ["2026-03-17", "tty_module", "tty"],
  ["2026-03-17", "child_process_module", "child_process"],
  ["2026-03-17", "worker_threads_module", "worker_threads"],
  ["2026-03-17", "readline_module", "readline readline/promises"],
  ["2026-03-17", "perf_hooks_module", "perf_hooks"],
];

/** Only with the prefix `node:`; without it they are packages. */
const PREFIX_ONLY = new Set(["test", "sqlite"]);
const KNOWN = new Set([...ALWAYS, ...FROM.flatMap(([, , modules]) => modules.split(" "))]);

/** `node:fs` for `fs` and `node:fs`; undefined for what is no module of Node. */
export function nodeSpecifier(specifier: string): string | undefined {
  if (specifier.startsWith("node:")) return specifier;
  return KNOWN.has(specifier) && !PREFIX_ONLY.has(specifier) ? `node:${specifier}` : undefined;
}

/** Does workerd have the module at this date and with these flags? Assumes nodejs_compat. */
export function isInWorkerd(specifier: string, { compatibilityDate, compatibilityFlags }: CompatibilityOf): boolean {
  const name = specifier.slice("node:".length);
  if (ALWAYS.includes(name)) return true;
  const entry = FROM.find(([, , modules]) => modules.split(" ").includes(name));
  if (entry === undefined) return false;
  const [date, flag] = entry;
  if (compatibilityFlags.includes(`disable_nodejs_${flag}`)) return false;
  return compatibilityFlags.includes(`enable_nodejs_${flag}`) || compatibilityDate >= date;
}

/** A CommonJS view of a module that workerd has, for `require` in dependencies. */
export function requiredModule(specifier: string): string {
  return `import libDefault from ${JSON.stringify(specifier)};\nmodule.exports = libDefault;`;
}

/**
 * What stands in for a module that workerd does not have: importing it works, so that a dependency which only mentions
 * it loads; using anything of it throws.
 */
export function missingModule(specifier: string): string {
  const name = JSON.stringify(specifier);
  return `const missing = (key) => function () {
  throw new Error(${name} + "." + key + " is not available in workerd at this compatibility date");
};
// The proxy is the prototype, so that the copies that esbuild makes for named imports see it too.
module.exports = Object.create(new Proxy({}, {
  get: (target, key) => typeof key === "symbol" || ["then", "__esModule", "default"].includes(key) ? target[key] : missing(key),
}));`;
}
