import assert from "node:assert/strict";
import { test } from "node:test";
import { fc } from "../agent/test-properties.js";
import { normalizeHost, parseHostName } from "./hosts.js";

test("a host is compared in lower case, without port and trailing dot", () => {
  const cases: [string, string | undefined][] = [
    ["Hello.Base.Test", "hello.base.test"],
    ["hello.base.test:8080", "hello.base.test"],
    ["hello.base.test.:8080", "hello.base.test"],
    ["hello.base.test:", "hello.base.test"],
    ["hello.base.test..", undefined],
    ["hello.base.test:80:80", undefined],
    ["hello.base.test:port", undefined],
    ["[::1]", "[::1]"],
    ["[::1]:8080", "[::1]"],
    ["[2001:DB8::1]", "[2001:db8::1]"],
    ["[::1", undefined],
    ["::1", undefined],
    ["127.0.0.1:80", "127.0.0.1"],
    ["", undefined],
    [".", undefined],
    [":80", undefined],
    ["a".repeat(261), undefined],
  ];
  for (const [raw, host] of cases) assert.equal(normalizeHost(raw), host, raw);
});

test("labels under the base domain name a function, alone or with a label", () => {
  const cases: [string, ReturnType<typeof parseHostName>][] = [
    ["hello.base.test", { function: "hello" }],
    ["a.hello.base.test", { label: "a", function: "hello" }],
    ["a--hello.base.test", { label: "a", function: "hello" }],
    ["a-b--c-d.base.test", { label: "a-b", function: "c-d" }],
    ["base.test", undefined],
    [".base.test", undefined],
    ["evilbase.test", undefined],
    ["hello.evilbase.test", undefined],
    ["hello.base.test.evil", undefined],
    ["a.b.c.base.test", undefined],
    ["a--b--c.base.test", undefined],
    ["a---b.base.test", undefined],
    ["a--b.c.base.test", undefined],
    ["--b.base.test", undefined],
    ["a--.base.test", undefined],
    ["-a.base.test", undefined],
    ["a-.base.test", undefined],
    ["a_b.base.test", undefined],
    ["ä.base.test", undefined],
    ["..base.test", undefined],
    [`${"a".repeat(64)}.base.test`, undefined],
  ];
  for (const [host, name] of cases) assert.deepEqual(parseHostName(host, "base.test"), name, host);
});

test("whatever comes in, reading it never throws, and writing a host differently never leads elsewhere (B1)", () => {
  const label = fc.stringMatching(/^[a-z0-9]([a-z0-9]{0,10}[a-z0-9])?$/);
  fc.assert(fc.property(fc.string(), (raw) => void parseHostName(normalizeHost(raw) ?? "", "base.test")));
  fc.assert(
    fc.property(label, label, fc.integer({ min: 1, max: 65535 }), fc.boolean(), (first, second, port, isUpper) => {
      for (const plain of [`${first}--${second}.base.test`, `${first}.${second}.base.test`]) {
        const raw = `${isUpper ? plain.toUpperCase() : plain}.:${port}`;
        const name = parseHostName(normalizeHost(raw)!, "base.test");
        assert.deepEqual(name, { label: first, function: second });
      }
    }),
  );
});
