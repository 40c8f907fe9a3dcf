// Source of the module that runs in every isolate before the function's own. Pure. Parsing it is a part of every first request, so
// that scripts/build.mjs puts the same texts minified in the place of this file's where they go to workerd.
import { CONSOLE_SOURCE } from "./console.js";
import { BINDING_SOURCE } from "./d1/binding.js";
import { STACK_PROPERTY } from "./log.js";

/**
 * Runs before the function's modules: makes of the bare isolate what functions expect to find. A stack does not leave an
 * isolate, properties of an error do: so the stack of what a function throws travels as one, for the log. And what was
 * handed to ctx.waitUntil ends with its isolate, other than answers and sockets: so it is counted, for the eviction.
 */
const PRELUDE_SOURCE = `${CONSOLE_SOURCE}
function rethrow(error) {
  try {
    if (error instanceof Error) error.${STACK_PROPERTY} = String(error.stack);
  } catch {}
  throw error;
}
function settle(answer) {
  return answer instanceof Promise ? answer.catch(rethrow) : answer;
}
export function withStacks(main) {
  if (typeof main === "function") {
    if (typeof main.prototype?.fetch !== "function") return main;
    return class extends main {
      constructor(context, env) {
        bindDatabases(env);
        super(context, env);
      }
      fetch(request) {
        try { return settle(super.fetch(request)); } catch (error) { rethrow(error); }
      }
    };
  }
  if (typeof main?.fetch !== "function") return main;
  const fetch = (request, env, context) => {
    bindDatabases(env);
    try { return settle(main.fetch(request, env, context)); } catch (error) { rethrow(error); }
  };
  return Object.create(main, { fetch: { value: fetch, enumerable: true } });
}
export const work = { count: 0 };
export function countWork(context) {
  const prototype = Object.getPrototypeOf(context);
  const { waitUntil } = prototype;
  const done = () => { work.count--; };
  prototype.waitUntil = function (promise) {
    waitUntil.call(this, promise);
    work.count++;
    Promise.resolve(promise).then(done, done);
  };
}
function missing(method, answer) {
  Object.defineProperty(Cache.prototype, method, { value: answer, writable: true, configurable: true });
}
missing("match", async function match() { return undefined; });
missing("delete", async function () { return false; });
missing("put", async function put(request, response) {
  if (!(response instanceof Response)) throw new TypeError("Cache.put() takes a Response");
  if (response.bodyUsed) throw new TypeError("the body of the response was read already");
  await response.body?.cancel();
});
`;

/** With databases in `env`, and without. */
export const PRELUDE_SOURCES = {
  binding: PRELUDE_SOURCE + BINDING_SOURCE,
  plain: `${PRELUDE_SOURCE}export function bindDatabases() {}`,
};
