// Secrets: written, named, never shown. Settings of a function and of its newest version.

import { z } from "zod";
import { WrkstError } from "../../errors.js";
import type { FunctionRef, FunctionSettings } from "../../model.js";
import { isBindingName, present } from "../requests.js";
import type { Call } from "../routes.js";
import { type AddRoute, type CloudflareDeps, DEPLOY, READ, S } from "./index.js";
import { refOf } from "./scripts.js";
import { clientName, readSettingsPatch, type SettingsPatch, settingsSchema, showSettings } from "./upload.js";
import { showUploaded, showVersions } from "./versions.js";

const name = z.string().refine(isBindingName, 'expected a name like "API_KEY"');
const secretSchema = z.looseObject({ name, text: z.string(), type: z.literal("secret_text").default("secret_text") });
const change = z.looseObject({ text: z.string() }).nullable();
const bulkSchema = z.looseObject({ secrets: z.record(name, change) });
const latestSchema = z.looseObject({
  env: z.record(name, change).default({}),
  annotations: z
    .looseObject({ "workers/message": z.string().max(1000).optional(), "workers/tag": z.string().max(100).optional() })
    .nullish(),
});

type Changes = Record<string, string | null>;

export function addSecretRoutes(add: AddRoute, deps: CloudflareDeps): void {
  addSingleRoutes(add, deps);
  addBulkRoutes(add, deps);
  addSettingsRoutes(add, deps);
}

/** A change of secrets is a new version that is deployed at once; on a function of git, a new start of what serves. */
function applySecrets(deps: CloudflareDeps, call: Call, changes: Changes) {
  const client = clientName(call.req.headers["user-agent"]);
  return deps.deploys.setSecrets(refOf(call), changes, { base: "serving", client }, call.actor);
}

function addSingleRoutes(add: AddRoute, deps: CloudflareDeps): void {
  const path = `${S}/secrets`;
  add({ method: "GET", path, rule: READ, summary: "Names of the secrets" }, (call) =>
    deps.deploys.secrets(refOf(call)).map(showSecret),
  );
  add({ method: "PUT", path, rule: DEPLOY, summary: "Sets a secret", body: secretSchema }, async (call) => {
    await applySecrets(deps, call, { [call.body.name]: call.body.text });
    return showSecret(call.body.name);
  });
  add({ method: "DELETE", path: `${path}/:secret`, rule: DEPLOY, summary: "Deletes a secret" }, async (call) => {
    const { secret = "" } = call.params;
    if (!deps.deploys.secrets(refOf(call)).includes(secret)) {
      throw new WrkstError("ERR_SECRET_NOT_FOUND", `"${call.params.name}" has no secret "${secret}"`);
    }
    await applySecrets(deps, call, { [secret]: null });
    return null;
  });
}

function showSecret(name: string): object {
  return { name, type: "secret_text" };
}

const textsOf = (changes: Record<string, { text: string } | null>): Changes =>
  Object.fromEntries(Object.entries(changes).map(([name, value]) => [name, value?.text ?? null]));

function addBulkRoutes(add: AddRoute, deps: CloudflareDeps): void {
  add(
    { method: "PATCH", path: `${S}/secrets-bulk`, rule: DEPLOY, summary: "Sets and deletes secrets", body: bulkSchema },
    async (call) => {
      await applySecrets(deps, call, textsOf(call.body.secrets));
      return deps.deploys.secrets(refOf(call)).map(showSecret);
    },
  );
  add(
    {
      ...{ method: "PATCH", rule: DEPLOY, summary: "A new version with other secrets, not deployed" },
      path: "/accounts/:account/workers/workers/:name/versions/latest",
      body: latestSchema,
    },
    async (call) => {
      const { env, annotations } = call.body;
      const ref = refOf(call);
      const client = clientName(call.req.headers["user-agent"]);
      const options = {
        base: "newest" as const,
        client,
        ...present({ message: annotations?.["workers/message"], tag: annotations?.["workers/tag"] }),
      };
      const version = await deps.deploys.setSecrets(ref, textsOf(env), options, call.actor);
      return version ? showUploaded(deps.deploys, ref, version) : (showVersions(deps.deploys, ref)[0] ?? null);
    },
  );
}

function addSettingsRoutes(add: AddRoute, deps: CloudflareDeps): void {
  const { deploys, uploads } = deps;
  add({ method: "GET", path: `${S}/settings`, rule: READ, summary: "Settings of the newest version" }, (call) =>
    showAllSettings(deps, refOf(call)),
  );
  add(
    { method: "PATCH", path: `${S}/settings`, rule: DEPLOY, summary: "Changes secrets and settings", streams: true },
    async (call) => {
      const ref = refOf(call);
      const patch = await readSettingsPatch(call.req, uploads);
      const changes = secretChanges(patch, deploys.secrets(ref));
      if (Object.keys(changes).length) await applySecrets(deps, call, changes);
      await applySettings(deps, call, patch);
      return showAllSettings(deps, ref);
    },
  );
  const path = `${S}/script-settings`;
  add({ method: "GET", path, rule: READ, summary: "Settings that belong to no version" }, (call) =>
    showScriptSettings(deploys.settings(refOf(call))),
  );
  add(
    {
      method: "PATCH",
      path,
      rule: DEPLOY,
      summary: "Changes settings that belong to no version",
      body: settingsSchema,
    },
    async (call) => {
      await applySettings(deps, call, showSettings(call.body));
      return showScriptSettings(deploys.settings(refOf(call)));
    },
  );
}

async function applySettings({ deploys }: CloudflareDeps, call: Call, patch: SettingsPatch): Promise<void> {
  const { tags, logpush, observability } = patch;
  const changes: Partial<FunctionSettings> = present({ tags, logpush, observability });
  if (Object.keys(changes).length) await deploys.setSettings(refOf(call), changes, call.actor);
}

/** A list of bindings is the whole list: what it names without a text stays, what it leaves out goes. */
function secretChanges({ bindings }: SettingsPatch, present: string[]): Changes {
  if (!bindings) return {};
  const named = new Set(bindings.map(({ name }) => name));
  const gone = present.filter((name) => !named.has(name)).map((name) => [name, null]);
  const set = bindings.flatMap(({ type, name, text }) =>
    type === "secret_text" && text !== undefined ? [[name, text]] : [],
  );
  return Object.fromEntries([...gone, ...set]);
}

function showAllSettings({ deploys }: CloudflareDeps, ref: FunctionRef): object {
  const [newest] = showVersions(deploys, ref);
  return {
    bindings: newest?.resources.bindings ?? [],
    ...newest?.resources.script_runtime,
    ...showScriptSettings(deploys.settings(ref)),
  };
}

function showScriptSettings({ tags, logpush, observability }: FunctionSettings): object {
  return { tags, logpush, observability: { enabled: observability }, tail_consumers: [] };
}
