// Which exports of a function are entry points. Pure.

/** An export as the module inside the isolate sees it. */
export interface ExportKind {
  name: string;
  kind: "handler" | "entrypoint" | "object class" | "function" | "object" | (string & {});
}

/**
 * Names of the exports that events can be sent to. Other exports are left out, since exporting them again would make the
 * load fail. Throws where there is nothing that a request could reach.
 */
export function entrypointsOf(exports: ExportKind[]): string[] {
  const main = exports.find(({ name }) => name === "default");
  const entrypoints = exports.filter(({ kind }) => kind === "handler" || kind === "entrypoint").map(({ name }) => name);
  if (main && !entrypoints.includes("default")) {
    throw new Error(
      `the default export is ${describe(main.kind)}: expected an object with a fetch handler or a WorkerEntrypoint class`,
    );
  }
  if (!entrypoints.length) {
    throw new Error('there is no default export: expected "export default { fetch(request, env, ctx) { … } }"');
  }
  return entrypoints;
}

function describe(kind: string): string {
  if (kind === "object") return "an object without a handler";
  if (kind === "object class") return "a class of objects or workflows";
  return kind === "function" ? "a function" : `of the type ${kind}`;
}
