// Bindings that are known to wrangler and not served here: refused, since the function would break at run time. Pure.

import { WrkstError } from "../../errors.js";
import { isTable } from "../document.js";
import { inherited, notInherited, type Setting, type Settings, topLevel } from "../settings.js";
import { UNSUPPORTED, type UnsupportedKind } from "./kinds.js";

/** Throws ERR_BINDING_UNSUPPORTED at the first binding of an unsupported kind that is in force. */
export function refuseUnsupported(settings: Settings, name: string): void {
  for (const kind of UNSUPPORTED) {
    const setting = settingOf(settings, kind);
    if (setting && !isEmpty(setting.value)) throw refusal(settings, { kind, setting, name });
  }
}

function settingOf(settings: Settings, kind: UnsupportedKind): Setting | undefined {
  if (kind.topLevelOnly) return topLevel(settings, kind.key);
  return kind.inherited ? inherited(settings, kind.key) : notInherited(settings, kind.key);
}

/** `kv_namespaces = []`, `durable_objects = { bindings = [] }`: nothing is bound. */
function isEmpty(value: unknown): boolean {
  if (value === null || value === undefined) return true;
  if (Array.isArray(value)) return value.every(isEmpty);
  return isTable(value) && Object.values(value).every(isEmpty);
}

interface Refusal {
  kind: UnsupportedKind;
  setting: Setting;
  name: string;
}

function refusal(settings: Settings, { kind, setting, name }: Refusal): WrkstError {
  const first = firstBinding(setting);
  const binding = isTable(first.value) ? (first.value.binding ?? first.value.name) : undefined;
  const quoted = typeof binding === "string" ? ` "${binding}"` : "";
  return new WrkstError(
    "ERR_BINDING_UNSUPPORTED",
    `function "${name}" has a ${kind.label}${quoted} in "${kind.key}": not supported here`,
    { hint: kind.hint ?? `remove "${kind.key}"`, position: settings.document.positionOf(first.path) },
  );
}

/** The first single binding below a key: an element of its array, or of the first array one level down. */
function firstBinding(setting: Setting): Setting {
  if (Array.isArray(setting.value)) return { value: setting.value[0], path: [...setting.path, 0] };
  if (!isTable(setting.value)) return setting;
  for (const [key, value] of Object.entries(setting.value)) {
    if (Array.isArray(value) && value.length) return { value: value[0], path: [...setting.path, key, 0] };
  }
  return setting;
}
