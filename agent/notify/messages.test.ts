import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { test } from "node:test";
import { isHeard, type NotificationFilter, type PlatformEvent, type ToldEvent } from "../model.js";
import { slackLetter, webhookLetter } from "./messages.js";

const event: ToldEvent = {
  ...{ id: 7, at: Date.parse("2026-01-01T00:00:00Z"), kind: "function.failed", source: "shop", function: "hello" },
  ...{ account: "main", revision: `main@sha1:${"a".repeat(40)}`, message: "it does not load", actor: "ada" },
  error: { code: "ERR_LOAD", message: "it does not load", position: { file: "hello/index.ts", line: 3 } },
};
const URL_OF_SLACK = "https://hooks.slack.com/services/T0/B0/x";
const textOf = (...events: ToldEvent[]) => {
  const letter = slackLetter(
    URL_OF_SLACK,
    events.map((one) => ({ event: one, link: null })),
  );
  return (JSON.parse(letter.body) as { text: string }).text;
};

test("signs an event as Standard Webhooks want it, over id, time and the bytes of the body", () => {
  const key = Buffer.from("a key of twenty-four bytes");
  const signing = { id: "evt_1", secret: `whsec_${key.toString("base64")}`, now: 1_767_225_600_999 };
  const letter = webhookLetter("https://example.com/hook", { event, link: "https://hello.w.example.com" }, signing);
  const expected = createHmac("sha256", key).update(`evt_1.1767225600.${letter.body}`).digest("base64");
  assert.deepEqual(letter.headers, {
    "content-type": "application/json",
    "webhook-id": "evt_1",
    "webhook-timestamp": "1767225600",
    "webhook-signature": `v1,${expected}`,
  });
  assert.deepEqual(JSON.parse(letter.body), {
    ...{ type: "function.failed", timestamp: "2026-01-01T00:00:00.000Z", version: 1 },
    data: {
      ...{ id: 7, source: "shop", function: "hello", account: "main", revision: event.revision },
      ...{ actor: "ada", message: "it does not load", error: event.error, link: "https://hello.w.example.com" },
    },
  });
});

test("says an event in one line of text, with the page where there is one", () => {
  const letter = slackLetter(URL_OF_SLACK, [{ event, link: "https://hello.w.example.com" }]);
  assert.deepEqual(letter, {
    url: URL_OF_SLACK,
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      text: "*function.failed* (shop main@aaaaaaa) it does not load <https://hello.w.example.com>",
    }),
  });
});

test("lets no text make links, call everybody or begin another line", () => {
  const text = textOf({
    ...event,
    message: "<!channel> <https://evil.example.com|here> & @everyone\n@here",
    error: undefined,
  } as never);
  assert.equal(text.split("\n").length, 1);
  assert.ok(!/<|@everyone|@here/.test(text), text);
  assert.match(text, /&lt;!channel&gt; .*&amp;/);
});

test("says many events in one message of bounded size, and how many more there are", () => {
  const lines = textOf(...Array<ToldEvent>(25).fill({ ...event, message: "short" })).split("\n");
  assert.deepEqual([lines.length, lines.at(-1)], [21, "… and 5 more: wrkst events"]);
  const long = textOf(...Array<ToldEvent>(500).fill({ ...event, message: "x".repeat(5_000) }));
  assert.ok(long.length <= 2_000, String(long.length));
  assert.match(long, /… and 49\d more/);
});

const heard: [string, NotificationFilter, Partial<PlatformEvent>, boolean][] = [
  ["everything by *", { events: ["*"] }, {}, true],
  ["a family by its glob", { events: ["function.*"] }, {}, true],
  ["nothing of another family", { events: ["source.*"] }, {}, false],
  ["one kind by its name", { events: ["source.*", "function.failed"] }, {}, true],
  ["no kind that only begins alike", { events: ["function.fail"] }, {}, false],
  ["a source by its name", { events: ["*"], sources: ["shop"] }, {}, true],
  ["nothing of no source where one is named", { events: ["*"], sources: ["*"] }, { source: undefined } as never, false],
  ["a function by a glob with two ends", { events: ["*"], functions: ["h*l*o"] }, {}, true],
  ["nothing of another function", { events: ["*"], functions: ["shop-*"] }, {}, false],
  ["nothing of another account", { events: ["*"], accounts: ["ana"] }, {}, false],
  ["an error where only errors are heard", { events: ["*"], errorsOnly: true }, {}, true],
  [
    "trouble without a report too",
    { events: ["*"], errorsOnly: true },
    { kind: "runtime.culprit", error: undefined } as never,
    true,
  ],
  [
    "nothing well where only errors are heard",
    { events: ["*"], errorsOnly: true },
    { kind: "function.updated", error: undefined } as never,
    false,
  ],
  ["nothing of the receivers themselves", { events: ["*"] }, { kind: "notification.failed" }, false],
];
for (const [name, filter, more, expected] of heard) {
  test(`a filter hears ${name}`, () => {
    const { actor: _, ...plain } = event;
    assert.equal(isHeard(filter, { ...plain, ...more }), expected);
  });
}
