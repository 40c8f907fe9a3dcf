// Which names an upload may use: of modules, and in `env`. Pure.
import { RESERVED_MODULES, RESERVED_PREFIX } from "../../runtime/wire.js";
import { WrkstError } from "../errors.js";

const MAX_MODULE_NAME = 512;
const MAX_BINDING_NAME = 128;
const BINDING_NAME = /^[\w$.-]+$/;
/** `node:fs` would stand for something else than the module. */
const SCHEME = /^[a-z][a-z0-9+.-]*:/i;

/** Module names are relative paths without `./`. @throws WrkstError ERR_INVALID */
export function checkModuleName(name: string): void {
  const shown = JSON.stringify(name.slice(0, 100));
  if (name.length > MAX_MODULE_NAME) {
    throw invalid(`expected module names of at most ${MAX_MODULE_NAME} characters, received ${name.length}: ${shown}`);
  }
  const isPath = name.split("/").every((part) => part !== "" && part !== "." && part !== "..");
  if (!isPath || SCHEME.test(name) || /[\x00-\x1f\x7f\\]/.test(name)) {
    throw invalid(`expected module names to be relative paths without "..", received ${shown}`);
  }
  if (RESERVED_MODULES.includes(name) || name === "__proto__")
    throw invalid(`the module name ${shown} is reserved`, "rename the module");
}

/** Names in `env`. @throws WrkstError ERR_INVALID */
export function checkBindingName(name: string): void {
  const shown = JSON.stringify(name.slice(0, 100));
  if (name.length > MAX_BINDING_NAME || !BINDING_NAME.test(name)) {
    throw invalid(
      `expected names of bindings to be 1 to ${MAX_BINDING_NAME} letters, digits or "_$.-", received ${shown}`,
    );
  }
  if (name.startsWith(RESERVED_PREFIX) || name === "__proto__") {
    throw invalid(`the binding name ${shown} is reserved`, "choose a name that does not begin with __");
  }
}

/** Names of vars and secrets: none is the binding that every function has. @throws WrkstError ERR_INVALID */
export function checkValueName(name: string): void {
  checkBindingName(name);
  if (name === "D1") {
    throw invalid('"D1" would hide the function\'s database, which "env.D1" always is', "choose another name");
  }
}

/** Where a secret and another binding would have one name. */
export function bindingTaken(name: string, hint: string): WrkstError {
  return new WrkstError("ERR_BINDING_TAKEN", `the binding name "${name}" is in use: a secret has it`, { hint });
}

export function invalid(message: string, hint?: string): WrkstError {
  return new WrkstError("ERR_INVALID", message, { hint });
}
