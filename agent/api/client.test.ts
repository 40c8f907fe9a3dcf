import assert from "node:assert/strict";
import test from "node:test";
import { clientOf, type Via } from "./client.js";

interface Case {
  via?: Via;
  remote?: string;
  forwarded?: string;
  connecting?: string;
  address: string;
}

const cases: Record<string, Case> = {
  "the connection's": { remote: "198.51.100.1", address: "198.51.100.1" },
  "the connection's, whatever an unknown client forwards": {
    remote: "198.51.100.1",
    forwarded: "192.0.2.1",
    address: "198.51.100.1",
  },
  "the connection's, whatever header of the router it sends": {
    remote: "198.51.100.1",
    connecting: "192.0.2.1",
    address: "198.51.100.1",
  },
  "the last hop before a trusted proxy": { remote: "10.1.1.1", forwarded: "192.0.2.1", address: "192.0.2.1" },
  "the last untrusted hop, not the first": {
    remote: "10.1.1.1",
    forwarded: "192.0.2.9, 192.0.2.1, 10.2.2.2",
    address: "192.0.2.1",
  },
  "the proxy's when it forwards what is no address": {
    remote: "10.1.1.1",
    forwarded: "192.0.2.1, <script>",
    address: "10.1.1.1",
  },
  "the first hop when all are trusted": { remote: "10.1.1.1", forwarded: "10.3.3.3", address: "10.3.3.3" },
  "IPv4 however it is written": { remote: "::ffff:10.1.1.1", forwarded: "::ffff:192.0.2.1", address: "192.0.2.1" },
  "the router's word on IPv4, however it is written": {
    via: "router",
    connecting: "::ffff:192.0.2.1",
    address: "192.0.2.1",
  },
  "the router's word on the router's socket": {
    via: "router",
    connecting: "2001:db8::1",
    forwarded: "192.0.2.1",
    address: "2001:db8::1",
  },
  "unknown when the router says nothing": { via: "router", forwarded: "192.0.2.1", address: "unknown" },
  "unknown when the connection is gone": { connecting: "192.0.2.1", address: "unknown" },
};
for (const [name, { via = "direct", remote, forwarded, connecting, address }] of Object.entries(cases)) {
  test(`the address of a client is ${name} (B5a)`, () => {
    const headers = { "x-forwarded-for": forwarded, "cf-connecting-ip": connecting };
    const options = { via, remoteAddress: remote, trustedProxies: ["10.0.0.0/8"], createId: () => "made-here" };
    assert.equal(clientOf(headers, options).address, address);
  });
}

test("a request id is the router's, or made here", () => {
  const id = (via: Via, given: string) => {
    const options = { via, remoteAddress: "192.0.2.1", trustedProxies: [], createId: () => "made-here" };
    return clientOf({ "x-request-id": given }, options).requestId;
  };
  assert.equal(id("router", "0123abcd"), "0123abcd");
  assert.equal(id("router", "0123\tabcd"), "made-here");
  assert.equal(id("direct", "0123abcd"), "made-here");
});
