// Source of what bounds `console` inside an isolate: workerd writes every message before it goes on, so that whoever logs
// without measure holds up everybody else in the process. Runs before the function's modules; they never reach the originals.

/** Characters of an isolate's messages in a window of time. */
const BUDGET = 2 ** 20;
/** Milliseconds. */
const WINDOW = 1000;
/** Characters of one message's texts; what is beyond is cut. */
const MAX_TEXT = 2 ** 16;
/** Values inside a message's objects, as far as they are shown; `VALUE` characters of a text are one. */
const MAX_VALUES = 10_000;
/** What a message costs beside what is in it, in characters, as what a value costs: about the time that they take. */
const EACH = 256;
const VALUE = 50;
/** What it costs to find an object too large, in values. */
const LOOK = 200;

/** Counted is what `util.inspect` shows of an object: three levels, 100 items of each list, 10,000 characters of each text. */
export const CONSOLE_SOURCE = `
const { apply, ownKeys, getOwnPropertyDescriptor } = Reflect;
const { isArray } = Array;
const { isView } = ArrayBuffer;
const { now } = Date;
const { slice: sliceOf } = String.prototype;
const { values: valuesOfMap } = Map.prototype;
const { values: valuesOfSet } = Set.prototype;
const budget = { left: ${BUDGET}, since: 0, dropped: 0 };
function countValues(value, depth, left) {
  if (typeof value === "string") return left - 1 - (value.length < 10000 ? value.length : 10000) / ${VALUE};
  if (typeof value !== "object" || value === null || depth > 2) return left - 1;
  if (isView(value)) return left - 100;
  if (value instanceof Map) return countItems(apply(valuesOfMap, value, []), depth, left);
  if (value instanceof Set) return countItems(apply(valuesOfSet, value, []), depth, left);
  const keys = isArray(value) ? undefined : ownKeys(value);
  const count = keys ? keys.length : value.length < 100 ? value.length : 100;
  left--;
  for (let i = 0; i < count && left > 0; i++) {
    left = countValues(getOwnPropertyDescriptor(value, keys ? keys[i] : i)?.value, depth + 1, left);
  }
  return left;
}
function countItems(items, depth, left) {
  let count = 0;
  for (const item of items) {
    left = countValues(item, depth + 1, left - 1);
    if (++count === 100 || left <= 0) break;
  }
  return left;
}
function afterObject(value, left) {
  try { return countValues(value, 0, left); } catch { return left - 1; }
}
function cut(text, room) {
  if (text.length <= room) return text;
  return apply(sliceOf, text, [0, room]) + "… (" + (text.length - room) + " more characters)";
}
function renew(native) {
  const time = now();
  if (time >= budget.since && time - budget.since < ${WINDOW}) return;
  const { dropped } = budget;
  budget.left = ${BUDGET};
  budget.since = time;
  budget.dropped = 0;
  if (dropped > 0) native("(" + dropped + " messages to the console were dropped)");
}
function write(native, receiver, values) {
  renew(native);
  if (budget.left <= 0) {
    if (budget.dropped++ === 0) native("(too many messages to the console: for a second they are dropped)");
    return;
  }
  let room = ${MAX_TEXT};
  let left = ${MAX_VALUES};
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (typeof value === "string") {
      values[i] = cut(value, room);
      room = value.length < room ? room - value.length : 0;
    } else if (typeof value === "object") {
      const rest = left > 0 ? afterObject(value, left) : 0;
      if (rest <= 0) values[i] = "(an object too large to be logged)";
      left = rest > 0 ? rest : left - ${LOOK};
    }
  }
  budget.left -= ${EACH + MAX_TEXT} - room + (${MAX_VALUES} - left) * ${VALUE};
  apply(native, receiver, values);
}
function bound(name) {
  const native = console[name];
  const { [name]: method } = { [name](...values) { write(native, this, values); } };
  console[name] = method;
}
for (const name of ["debug", "error", "info", "log", "warn"]) bound(name);
`;
