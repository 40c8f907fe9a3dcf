// Before versions are loaded where they will serve: what their database bindings stand for. What is new is made, empty.
import { reportOf } from "../errors.js";
import type { Version } from "../model.js";
import type { BindingsFound, BindingsWanted, Registry } from "../store/index.js";
import { failedStep, type PassDeps, type StepResult } from "./pass.js";

/** Steps whose databases are somebody else's fail; the others know what was made for them. */
export function bindDatabases({ registry }: Pick<PassDeps, "registry">, results: StepResult[]): StepResult[] {
  const switches = results.filter((result) => result.kind === "switch");
  const found = registry.databases.resolve(switches.map(({ version }) => wantedOf(registry, version)));
  const bound = new Map(switches.map((result, index) => [result as StepResult, boundTo(result, found[index]!)]));
  return results.map((result) => bound.get(result) ?? result);
}

/** What a version asks for, as the version that is to serve. */
export function wantedOf(registry: Pick<Registry, "databases">, version: Version): BindingsWanted {
  const { id, account, function: name, manifest, upload } = version;
  return {
    function: { id: registry.databases.functionId(account, name), account, name },
    version: id,
    declared: manifest.d1Databases,
    share: manifest.share ?? [],
    isStrict: upload !== undefined,
  };
}

function boundTo(result: Extract<StepResult, { kind: "switch" }>, answer: BindingsFound): StepResult {
  if ("created" in answer) return answer.created.length ? { ...result, created: answer.created } : result;
  const position = result.step.declaration.bindingPositions?.[answer.binding];
  return failedStep(result, { ...reportOf(answer.error), ...(position ? { position } : {}) });
}
