import assert from "node:assert/strict";
import test from "node:test";
import { WrkstError } from "./errors.js";
import { createLog, type Log, type LogOptions } from "./log.js";

function written(format: LogOptions["format"], write: (log: Log) => void): string {
  let text = "";
  const destination = {
    write: (line: string) => {
      text += line;
    },
  };
  write(createLog({ level: "info", format, destination }));
  return text;
}

for (const format of ["json", "pretty"] as const) {
  test(`hides what is a secret by name or by form (${format})`, () => {
    const text = written(format, (log) => {
      log.info({ token: "canary", nested: { deeper: { webhookSecret: "canary" } } }, "asked");
      log.info("fetching https://me:canary@example.com/a.git");
      log.info({ header: "Bearer canarycanary" }, "wrkst_canarycanarycanary");
      log.error({ err: new Error("cannot read http://u:canary@h/x") }, "failed");
    });
    assert.doesNotMatch(text, /canary/);
    assert.match(text, /example\.com/);
  });

  test(`writes nothing below its level (${format})`, () => {
    assert.equal(
      written(format, (log) => log.debug("quiet")),
      "",
    );
  });
}

test("writes one JSON object a line", () => {
  const text = written("json", (log) => {
    log.info({ function: "hello" }, "deployed");
    log.child({ part: "git" }).warn("late");
  });
  const [first, second] = text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  assert.deepEqual([first.level, first.function, first.msg], ["info", "hello", "deployed"]);
  assert.deepEqual([second.level, second.part], ["warn", "git"]);
});

test("shows a person an error with its hint and without stack", () => {
  const err = new WrkstError("ERR_GIT", "no such repository", { hint: "set GIT_REPO" });
  const text = written("pretty", (log) => log.error({ err }, "pass failed"));
  assert.match(text, /error: no such repository\n +hint: set GIT_REPO/);
  assert.doesNotMatch(text, /\n +at /);
});
