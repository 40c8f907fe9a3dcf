// Brings versions into workerd's loader and out of it. A version's bytes are read and checked before the loader hears of it,
// because the loader remembers a failure for ever.
import { decodeArtifact, verifyDigest } from "./artifact.js";
import type { RouterBindings } from "./bindings.js";
import { handOver, type Reach } from "./d1/binding.js";
import type { Slot } from "./isolates.js";
import { servingModules } from "./modules.js";
import { createOpening } from "./secrets.js";
import { HOST_ENTRYPOINT, type VersionSpec } from "./wire.js";

type HostEntrypoint = Fetcher & { describe(): Promise<unknown>; isBusy(): Promise<boolean>; evict(): Promise<void> };
export type Code = WorkerLoaderWorkerCode;

export interface Loading {
  /** The version's code, read and checked. */
  read(slot: Slot): Promise<Code>;
  /** Brings it into the loader and runs its top level, during which nothing else of this process runs. */
  start(slot: Slot, code: Code): Promise<void>;
  unload(function_: string, id: string): Promise<void>;
  /** The default entry point of a loaded version. */
  entrypoint(slot: Slot): Fetcher;
}

export interface LoadingHooks {
  /** Where the isolate tells what happened in an invocation of the function, if anywhere. */
  tailOf(slot: Slot): Fetcher | undefined;
  /** The object of that name, as this function may reach it. */
  databaseOf(function_: string, object: string): Reach;
}

export function createLoading(bindings: RouterBindings, { tailOf, databaseOf }: LoadingHooks): Loading {
  const { LOADER: loader } = bindings;
  const openSecrets = createOpening(bindings.SECRETS_KEY);
  // A function that ends its own isolate is loaded again by workerd, which then asks for the code. Kept, since handing over
  // a new closure with every request is noticeable.
  const reloads = new WeakMap<Slot, () => Promise<Code>>();
  const databasesOf = ({ function: function_, spec }: Slot) => {
    const entries = Object.entries(spec.databases ?? {}).map(([name, object]) => [
      name,
      typeof object === "string" ? databaseOf(function_, object) : object.refused,
    ]);
    return entries.length ? handOver(bindings.D1_TEMPLATE, Object.fromEntries(entries)) : undefined;
  };
  const codeOf = async (slot: Slot): Promise<Code> => {
    const { spec } = slot;
    const { entrypoints } = spec;
    const databases = databasesOf(slot);
    const artifact = await readArtifact(bindings.ARTIFACTS, spec.artifact);
    return {
      ...servingModules(artifact, { entrypoints, hasDatabases: databases !== undefined }),
      compatibilityDate: spec.compatibilityDate,
      compatibilityFlags: spec.compatibilityFlags,
      env: { ...spec.vars, ...(spec.secrets && (await openSecrets(spec.secrets))), ...databases },
      globalOutbound: outboundOf(bindings, spec),
    };
  };
  const withTail = (code: Code, tail: Fetcher | undefined): Code => (tail ? { ...code, tails: [tail] } : code);
  const host = (id: string, code: () => Promise<Code> | Code) =>
    loader.get(id, code).getEntrypoint(HOST_ENTRYPOINT) as HostEntrypoint;
  return {
    read: codeOf,
    async start(slot, code) {
      const tail = tailOf(slot);
      slot.isTailed = tail !== undefined;
      await host(slot.id, () => withTail(code, tail)).describe();
    },
    async unload(_function, id) {
      const gone = () => {
        throw new Error("it is not loaded");
      };
      const isolate = host(id, gone);
      await untilIdle(isolate);
      // Ending the isolate is also the end of this call: it always rejects.
      await isolate.evict().catch(() => {});
    },
    entrypoint(slot) {
      let reload = reloads.get(slot);
      if (!reload) {
        reload = async () => withTail(await codeOf(slot), slot.isTailed ? tailOf(slot) : undefined);
        reloads.set(slot, reload);
      }
      return loader.get(slot.id, reload).getEntrypoint();
    },
  };
}

/** As long as Cloudflare leaves what ctx.waitUntil was given, and no longer, whatever the function says. */
const LONGEST_WORK = 30_000;
const BETWEEN_LOOKS = 100;

async function untilIdle(isolate: HostEntrypoint): Promise<void> {
  const end = Date.now() + LONGEST_WORK;
  while (Date.now() < end && (await isolate.isBusy().catch(() => false))) await scheduler.wait(BETWEEN_LOOKS);
}

async function readArtifact(store: Fetcher, name: string) {
  const response = await store.fetch(`http://artifacts/${name.slice(0, 2)}/${name}`);
  if (!response.ok) throw new Error(`artifact "${name}" cannot be read: the store answered ${response.status}`);
  const bytes = new Uint8Array(await response.arrayBuffer());
  await verifyDigest(bytes, name);
  return decodeArtifact(bytes);
}

function outboundOf(bindings: RouterBindings, { egress }: VersionSpec): Fetcher {
  if (egress === "public") return bindings.PUBLIC;
  return egress === "private" ? bindings.PRIVATE : bindings.NONE;
}
