// What tells others, over a registry of its own, with a clock and timers that tests move. For tests only.
import { randomBytes } from "node:crypto";
import type { TestContext } from "node:test";
import type { FunctionOutcome, PassReport } from "../../model.js";
import { createSealing } from "../../secrets/sealing.js";
import { openRegistry, type Registry } from "../../store/index.js";
import { newFile } from "../../store/test-registry.js";
import type { PassRun } from "../loop.js";
import { createTelling, type RunningTelling, type TellingDeps } from "./index.js";

export const commitOf = (letter: string) => letter.repeat(40);
const key = randomBytes(32);

export interface TestTelling {
  registry: Registry;
  telling: RunningTelling;
  clock: { now: number };
  counted: string[];
  logged: string[];
  /** Sources that were to be looked at anew. */
  looked: string[];
  /** Moves the clock to the next timer and lets it fire. */
  tick(): Promise<void>;
  /** Closes all, as the end of the agent does, and opens it again. */
  restart(): Promise<TestTelling>;
  /** A pass that begins to work on the commit, and its end. */
  begin(commit: string, changed?: number, source?: string): void;
  end(commit: string, more?: Partial<PassReport>, source?: string): void;
}

export function newTelling(t: TestContext, more: Partial<TellingDeps> = {}): TestTelling {
  return open(t, { file: newFile(t), clock: { now: 1_767_225_600_000 }, more });
}

function open(
  t: TestContext,
  { file, clock, more }: { file: string; clock: { now: number }; more: Partial<TellingDeps> },
): TestTelling {
  const registry = openRegistry(file, { now: () => clock.now });
  const [counted, logged, looked]: string[][] = [[], [], []];
  let timer: { at: number; fire: () => void } | undefined;
  const telling = createTelling({
    ...{ registry, sealing: createSealing(key), isPublic: () => false, allowed: [{ host: "127.0.0.1" }] },
    log: { warn: (fields, message) => logged!.push(`${message} ${JSON.stringify(fields)}`) },
    publicUrl: () => "https://w.example.com",
    accountOf: () => "main",
    functionPage: (name) => `https://${name}.w.example.com`,
    lookAt: (source) => looked!.push(source),
    count: (kind, result, times = 1) => counted!.push(`${kind} ${result}${times > 1 ? ` ${times}` : ""}`),
    now: () => clock.now,
    random: () => 0.5,
    setTimer: (milliseconds, fire) => {
      const own = { at: clock.now + milliseconds, fire };
      timer = own;
      return {
        cancel: () => {
          if (timer === own) timer = undefined;
        },
      };
    },
    ...more,
  });
  const close = async () => {
    await telling.close();
    registry.close();
  };
  t.after(close);
  return {
    ...{ registry, telling, clock, counted: counted!, logged: logged!, looked: looked! },
    async tick() {
      if (!timer) throw new Error("no timer is set");
      clock.now = Math.max(clock.now, timer.at);
      const { fire } = timer;
      timer = undefined;
      fire();
      await telling.calm();
    },
    async restart() {
      await close();
      return open(t, { file, clock, more });
    },
    begin(commit, changed = 1, source = "shop") {
      const revision = { source, branch: "main", commit };
      telling.watch(passRun).observe({ kind: "planned", revision, changed, unchanged: 0, removed: 0 });
    },
    end: (commit, report = {}, source = "shop") => telling.passed(reportOf(source, commit, report)),
  };
}

const passRun: PassRun = {
  ...{ cause: "push", author: "ada", force: false, prune: false },
  signal: new AbortController().signal,
  observe: () => undefined,
  commit: () => undefined,
};

export const outcome = (name: string, more: Partial<FunctionOutcome> = {}): FunctionOutcome => ({
  ...{ name, folder: name, result: "updated", url: `https://${name}.w.example.com`, warnings: [] },
  ...more,
});

function reportOf(source: string, commit: string, more: Partial<PassReport>): PassReport {
  const to = `main@sha1:${commit}`;
  return {
    source,
    from: null,
    to,
    result: "switched",
    functions: [outcome("hello")],
    phases: {},
    milliseconds: 1,
    ...more,
  };
}
