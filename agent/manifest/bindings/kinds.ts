// Every kind of binding that wrangler knows. A kind that becomes supported leaves UNSUPPORTED and gets a file beside this one.

export interface UnsupportedKind {
  /** Key of the wrangler file. */
  key: string;
  /** As it reads after "a": `KV namespace`. */
  label: string;
  /** What to do instead. */
  hint?: string;
  /** Wrangler lets environments inherit it (most bindings are not inherited). */
  inherited?: boolean;
  topLevelOnly?: boolean;
}

export const SUPPORTED_KEYS = ["vars", "d1_databases"];

const OLD_FORMAT = "import the file as a module instead; see rules";

export const UNSUPPORTED: readonly UnsupportedKind[] = [
  { key: "kv_namespaces", label: "KV namespace", hint: "keep the data in the function's D1 database" },
  { key: "r2_buckets", label: "R2 bucket", hint: "use an S3-compatible store over fetch()" },
  { key: "queues", label: "queue" },
  { key: "services", label: "service binding", hint: "call the other function by its URL with fetch()" },
  { key: "durable_objects", label: "Durable Object namespace", hint: "keep the data in the function's D1 database" },
  { key: "workflows", label: "workflow" },
  {
    key: "triggers",
    label: "cron trigger",
    hint: "call the function's URL from a scheduler of the machine, for example cron with curl",
    inherited: true,
  },
  {
    key: "assets",
    label: "static assets directory",
    hint: "import the files as text or data modules; see rules",
    inherited: true,
  },
  {
    key: "site",
    label: "Workers site",
    hint: "import the files as text or data modules; see rules",
    topLevelOnly: true,
  },
  {
    key: "hyperdrive",
    label: "Hyperdrive configuration",
    hint: "connect to the database directly, with pg or postgres",
  },
  { key: "ai", label: "AI binding" },
  { key: "ai_search", label: "AI Search instance" },
  { key: "ai_search_namespaces", label: "AI Search namespace" },
  { key: "vectorize", label: "Vectorize index" },
  { key: "browser", label: "browser binding" },
  { key: "images", label: "images binding" },
  { key: "stream", label: "stream binding" },
  { key: "media", label: "media binding" },
  { key: "analytics_engine_datasets", label: "Analytics Engine dataset" },
  { key: "mtls_certificates", label: "mTLS certificate" },
  { key: "dispatch_namespaces", label: "dispatch namespace" },
  { key: "pipelines", label: "pipeline" },
  { key: "secrets_store_secrets", label: "Secrets Store secret" },
  { key: "send_email", label: "e-mail binding" },
  { key: "tail_consumers", label: "tail consumer" },
  { key: "streaming_tail_consumers", label: "streaming tail consumer" },
  { key: "version_metadata", label: "version metadata binding" },
  { key: "ratelimits", label: "rate limit" },
  { key: "worker_loaders", label: "worker loader" },
  { key: "vpc_services", label: "VPC service" },
  { key: "vpc_networks", label: "VPC network" },
  { key: "containers", label: "container" },
  { key: "cloudchamber", label: "container" },
  { key: "artifacts", label: "artifacts binding" },
  { key: "flagship", label: "flagship binding" },
  { key: "logfwdr", label: "log forwarder", inherited: true },
  { key: "unsafe", label: "unsafe binding" },
  { key: "unsafe_hello_world", label: "hello world binding" },
  { key: "wasm_modules", label: "wasm module binding", hint: OLD_FORMAT, topLevelOnly: true },
  { key: "text_blobs", label: "text blob binding", hint: OLD_FORMAT, topLevelOnly: true },
  { key: "data_blobs", label: "data blob binding", hint: OLD_FORMAT, topLevelOnly: true },
];

export const BINDING_KEYS: readonly string[] = [...SUPPORTED_KEYS, ...UNSUPPORTED.map(({ key }) => key)];
