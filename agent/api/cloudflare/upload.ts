// A multipart upload as an `Upload`: metadata and modules, checked by shape and within limits. What it may be is decided
// elsewhere; nothing of it stays on disk.

import type { IncomingMessage } from "node:http";
import { z } from "zod";
import { WrkstError } from "../../errors.js";
import type { Upload } from "../../model.js";
import type { Budget } from "../body.js";
import { type MultipartLimits, type Part, readMultipart } from "../multipart.js";
import { parseJson, present } from "../requests.js";
import { bindingSchema, type RawBinding, readBindings, readKeep } from "./bindings.js";
import { readModules } from "./modules.js";
import { autoRollbackSchema, gradualSchema } from "./trials.js";

/** Bytes of all uploads that are being read. */
const MOST_AT_ONCE = 512 * 2 ** 20;
const LIMITS: MultipartLimits = { size: 64 * 2 ** 20, parts: 1000, inMemory: 2 ** 20, idle: 30_000 };
const METADATA = "metadata";
const SETTINGS = "settings";
const IN_MEMORY: ReadonlySet<string> = new Set([METADATA, SETTINGS]);
const MAX_BINDINGS = 256;

const text = (most: number) => z.string().max(most);
const annotations = z
  .looseObject({
    "workers/message": text(1000).optional(),
    "workers/tag": text(100).optional(),
    "workers/alias": text(63).optional(),
  })
  .default({});

const metadataSchema = z.looseObject({
  main_module: text(1024).optional(),
  body_part: text(1024).optional(),
  bindings: z.array(bindingSchema).max(MAX_BINDINGS).default([]),
  keep_bindings: z.array(text(64)).max(64).optional(),
  compatibility_date: z
    .string()
    .regex(/^\d{4}-\d\d-\d\d$/, "expected a date like 2026-01-31")
    .optional(),
  compatibility_flags: z.array(text(100)).max(100).optional(),
  annotations: annotations.nullish().transform((value) => value ?? {}),
  observability: z.looseObject({ enabled: z.boolean().optional() }).nullish(),
  migrations: z.looseObject({ steps: z.array(z.unknown()).optional() }).nullish(),
  assets: z.unknown().optional(),
  containers: z.array(z.unknown()).nullish(),
  exports: z.record(z.string(), z.unknown()).nullish(),
  wrkst: z
    .strictObject({
      egress: z.enum(["none", "public"]).optional(),
      health: z.string().max(300).regex(/^\//).optional(),
      share: z.array(text(53)).max(1000).optional(),
      auto_rollback: autoRollbackSchema.optional(),
      gradual: gradualSchema.optional(),
    })
    .optional(),
  tail_consumers: z.array(z.unknown()).nullish(),
  streaming_tail_consumers: z.array(z.unknown()).nullish(),
});
type Metadata = z.infer<typeof metadataSchema>;

/** Where uploads lie while they are read, and how much they may take together. */
export interface UploadSpace {
  folder: string;
  budget: Budget;
}

export function createUploadSpace(folder: string): UploadSpace {
  return { folder, budget: { left: MOST_AT_ONCE } };
}

export interface UploadOptions {
  space: UploadSpace;
  /** As the client calls itself. */
  client: string;
}

/** @throws WrkstError ERR_INVALID, ERR_TOO_LARGE, ERR_BINDING_UNSUPPORTED */
export async function readUpload(req: IncomingMessage, { space, client }: UploadOptions): Promise<Upload> {
  const parts = await readMultipart(req, { ...space, limits: LIMITS, memoryOnly: IN_MEMORY });
  const metadata = parseJson(metadataSchema, single(parts, METADATA).bytes, METADATA);
  refuseUnsupported(metadata);
  if (metadata.main_module === undefined) throw withoutMain(metadata);
  const modules = parts.filter(({ name }) => name !== METADATA);
  const { "workers/message": message, "workers/tag": tag, "workers/alias": alias } = metadata.annotations;
  return {
    bundle: readModules(modules, metadata.main_module),
    bindings: readBindings(metadata.bindings),
    keep: readKeep(metadata.keep_bindings),
    client,
    ...present({
      compatibilityDate: metadata.compatibility_date,
      compatibilityFlags: metadata.compatibility_flags,
      observability: metadata.observability?.enabled,
      health: metadata.wrkst?.health,
      egress: metadata.wrkst?.egress,
      share: metadata.wrkst?.share,
      autoRollback: metadata.wrkst?.auto_rollback,
      gradual: metadata.wrkst?.gradual,
      message: message || undefined,
      tag: tag || undefined,
      alias: alias || undefined,
    }),
  };
}

export interface SettingsPatch {
  bindings?: RawBinding[] | undefined;
  tags?: string[] | undefined;
  logpush?: boolean | undefined;
  observability?: boolean | undefined;
}

export const settingsSchema = z.looseObject({
  tags: z.array(text(1024)).max(100).nullish(),
  logpush: z.boolean().nullish(),
  observability: z.looseObject({ enabled: z.boolean().optional() }).nullish(),
});
const patchSchema = settingsSchema.extend({ bindings: z.array(bindingSchema).max(MAX_BINDINGS).optional() });

/** A change of settings, as JSON or as the part `settings` of a multipart body. */
export async function readSettingsPatch(req: IncomingMessage, space: UploadSpace): Promise<SettingsPatch> {
  const parts = await readMultipart(req, { ...space, limits: { ...LIMITS, size: 2 * 2 ** 20 }, memoryOnly: IN_MEMORY });
  const { bindings, ...rest } = parseJson(patchSchema, single(parts, SETTINGS).bytes, SETTINGS);
  return { ...showSettings(rest), ...present({ bindings }) };
}

export function showSettings({ tags, logpush, observability }: z.infer<typeof settingsSchema>) {
  return present({
    tags: tags ?? undefined,
    logpush: logpush ?? undefined,
    observability: observability?.enabled,
  });
}

function single(parts: Part[], name: string): Part {
  const found = parts.filter((part) => part.name === name);
  if (found.length === 1 && found[0]) return found[0];
  throw new WrkstError("ERR_INVALID", `expected one part "${name}", received ${found.length}`);
}

function refuseUnsupported({ migrations, assets, containers, exports, ...rest }: Metadata): void {
  const refused = [
    ...(migrations?.steps?.length ? ["Durable Object migrations"] : []),
    ...(assets ? ["static assets"] : []),
    ...(containers?.length ? ["containers"] : []),
    ...(Object.keys(exports ?? {}).length ? ["declared exports"] : []),
    ...(rest.tail_consumers?.length || rest.streaming_tail_consumers?.length ? ["tail consumers"] : []),
  ];
  if (refused.length) throw new WrkstError("ERR_BINDING_UNSUPPORTED", `not supported here: ${refused.join(", ")}`);
}

function withoutMain({ body_part }: Metadata): WrkstError {
  if (body_part === undefined) return new WrkstError("ERR_INVALID", 'metadata: expected "main_module"');
  return new WrkstError("ERR_BINDING_UNSUPPORTED", "the service-worker format is not supported here", {
    hint: "export default { fetch(request, env, context) { … } } instead of addEventListener()",
  });
}

/** Older releases of wrangler print hosts of previews that they make up themselves, and that are not ours. */
export function knowsHosts(agent: string | undefined): boolean {
  const [, major, minor] = /^wrangler\/(\d+)\.(\d+)\./.exec(agent ?? "") ?? [];
  return major === undefined || Number(major) > 4 || (Number(major) === 4 && Number(minor) > 125);
}

/** The client by its `User-Agent`: `wrangler`, `wrkst`, or `api`. */
export function clientName(agent: string | undefined): string {
  return /^(wrangler|wrkst)\b/.exec(agent ?? "")?.[1] ?? "api";
}
