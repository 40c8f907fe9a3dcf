import assert from "node:assert/strict";
import { test } from "node:test";
import { createForwarding, withoutPort } from "./forwarded.js";

const headers = (values: Record<string, string>) => ({ get: (name: string) => values[name] ?? null });

test("the client's address is read with and without port, in both families", () => {
  const cases = [
    ["1.2.3.4:56", "1.2.3.4"],
    ["1.2.3.4", "1.2.3.4"],
    ["[::1]:56", "::1"],
    ["[2001:db8::1]", "2001:db8::1"],
    ["2001:db8::1", "2001:db8::1"],
    ["[::ffff:127.0.0.1]:56", "127.0.0.1"],
    ["::FFFF:127.0.0.1", "127.0.0.1"],
  ];
  for (const [raw, address] of cases) assert.equal(withoutPort(raw!), address);
});

test("B5a: the address is the connection's, or the last hop that is no trusted proxy", () => {
  const { clientAddress } = createForwarding({
    trustedProxies: ["10.0.0.0/8", "::1", "fd00::/8"],
    useForwardedHost: false,
  });
  const cases: [string, string | undefined, string][] = [
    ["9.9.9.9", "1.1.1.1", "9.9.9.9"],
    ["10.0.0.1", "1.1.1.1", "1.1.1.1"],
    ["10.0.0.1", "6.6.6.6, 1.1.1.1", "1.1.1.1"],
    ["10.0.0.1", "6.6.6.6, 1.1.1.1, 10.3.3.3, fd00::1", "1.1.1.1"],
    ["10.0.0.1", "10.0.0.7, 10.0.0.8", "10.0.0.7"],
    ["10.0.0.1", "1.1.1.1, garbage", "10.0.0.1"],
    ["10.0.0.1", "1.1.1.1, garbage, 10.0.0.2", "10.0.0.2"],
    ["10.0.0.1", undefined, "10.0.0.1"],
    ["::1", "[2001:db8::1]:443", "2001:db8::1"],
    ["::ffff:10.0.0.1", "1.1.1.1:80", "1.1.1.1"],
  ];
  for (const [connection, hops, expected] of cases) {
    const address = clientAddress(connection, headers(hops === undefined ? {} : { "x-forwarded-for": hops }));
    assert.equal(address, expected, `${connection} ${hops}`);
  }
});

test("B4: forwarded host and protocol count from trusted proxies only, the first value, and only if valid", () => {
  const { originalUrl } = createForwarding({ trustedProxies: ["10.0.0.1"], useForwardedHost: true });
  const url = "http://inner.test:8080/a?b";
  const cases: [string, Record<string, string>, string | undefined][] = [
    ["10.0.0.1", {}, undefined],
    ["10.0.0.1", { "x-forwarded-host": "fn.test" }, "http://fn.test/a?b"],
    [
      "10.0.0.1",
      { "x-forwarded-host": "fn.test:81, evil", "x-forwarded-proto": "HTTPS, http" },
      "https://fn.test:81/a?b",
    ],
    ["10.0.0.1", { "x-forwarded-host": "fn.test", "x-forwarded-proto": "gopher" }, "http://fn.test/a?b"],
    ["10.0.0.1", { "x-forwarded-host": "fn.test/evil" }, undefined],
    ["10.0.0.1", { "x-forwarded-host": "user@fn.test" }, undefined],
    ["10.0.0.1", { "x-forwarded-host": "" }, undefined],
    ["10.0.0.2", { "x-forwarded-host": "fn.test" }, undefined],
  ];
  for (const [connection, values, expected] of cases) {
    assert.equal(originalUrl(url, connection, headers(values)), expected, JSON.stringify(values));
  }
});

test("without USE_FORWARDED_HOST only the address is taken from a proxy", () => {
  const { originalUrl } = createForwarding({ trustedProxies: ["10.0.0.1"], useForwardedHost: false });
  assert.equal(originalUrl("http://a.test/", "10.0.0.1", headers({ "x-forwarded-host": "b.test" })), undefined);
});

test("a CIDR that is none is a mistake of the caller", () => {
  assert.throws(() => createForwarding({ trustedProxies: ["10.0.0.0/99"], useForwardedHost: false }), TypeError);
});
