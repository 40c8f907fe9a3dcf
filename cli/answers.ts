// What the server answers on the routes of Cloudflare's shape, as far as the command reads it. Types only.

export interface Version {
  id: string;
  number?: number;
  metadata?: { created_on: string; author_email?: string | null; source?: string | null };
  annotations?: Record<string, string>;
  resources?: {
    bindings?: { name: string; type: string }[];
    script?: { etag?: string; handlers?: string[] };
    script_runtime?: { compatibility_date?: string; compatibility_flags?: string[] };
  };
  /** Milliseconds; in the answer to an upload. */
  startup_time_ms?: number;
  /** Made for it, empty; in the answer to an upload. */
  created_databases?: { id: string; name: string }[];
  /** What its preview lacks; in the answer to an upload. */
  warnings?: string[];
  /** Of the version's own host. */
  url?: string | null;
}

export interface CloudflareDeployment {
  id: string;
  created_on: string;
  source?: string;
  author_email?: string | null;
  annotations?: Record<string, string>;
  versions: { version_id: string; percentage: number }[];
}

export interface Alias {
  name: string;
  version_id: string;
  created_on: string;
  url?: string;
  hold?: { kind: string; reason?: string; author?: string } | null;
}

export interface SecretName {
  name: string;
}

export interface Token {
  id: string;
  name: string;
  account: string;
  scopes: string[];
  /** ISO 8601, as all times here. */
  created: string;
  expires: string | null;
  lastUsed: string | null;
}

export interface User {
  id: string;
  name?: string | null;
  email?: string | null;
  /** null: no rule lets the user in. */
  role: string | null;
  account: string;
  disabled?: boolean;
  lastLogin?: string | null;
}

/** What `/api/v1/databases` answers. */
export interface Database {
  id: string;
  account: string;
  name: string;
  /** Bytes. */
  size: number;
  tables: number | null;
  uses: { function: string; bindings: string[]; isOwner: boolean }[];
  createdAt: string;
  removedAt: string | null;
}

export interface Snapshot {
  id: string;
  at: string;
  cause: string;
  size: number;
  migrations: string[];
}

export interface Activity {
  queries: number;
  writes: number;
  errors: number;
  rowsRead: number;
  rowsWritten: number;
  milliseconds: number;
  /** null: longer than can be told, or nothing was asked. */
  p50: number | null;
  p99: number | null;
  slowest: { sql: string; milliseconds: number; rowsRead: number; at: string }[];
}

export interface Migrations {
  applied: { name: string; at: string }[];
  pending: string[];
  declared: { binding: string; folder: string; table: string } | null;
}
