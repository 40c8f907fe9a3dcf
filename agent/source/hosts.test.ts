import assert from "node:assert/strict";
import { test } from "node:test";
import { type AllowedHost, createAdmission } from "./hosts.js";
import { parseRemote } from "./remote.js";

const ADDRESSES: Record<string, string[]> = {
  "git.example.com": ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"],
  "inside.example.com": ["10.1.2.3"],
  "half.example.com": ["93.184.215.14", "127.0.0.1"],
  "6.example.com": ["fd12::1"],
  "0x7f.1": ["127.0.0.1"],
  localhost: ["127.0.0.1", "::1"],
};
const admits = async (address: string, allowed: AllowedHost[] = []) => {
  const admit = createAdmission(allowed, async (host) => ADDRESSES[host] ?? []);
  return admit(parseRemote(address, { local: true })).then(
    () => true,
    (error) => {
      assert.equal(error.code, "ERR_GIT_REFUSED");
      return false;
    },
  );
};

const refused = [
  "https://inside.example.com/a.git",
  "https://half.example.com/a.git",
  "https://6.example.com/a.git",
  "https://localhost/a.git",
  "https://LOCALHOST/a.git",
  "https://127.0.0.1/a.git",
  "https://2130706433/a.git",
  "https://169.254.169.254/latest.git",
  "https://0.0.0.0/a.git",
  "https://100.64.0.1/a.git",
  "https://[::1]/a.git",
  "https://[::ffff:10.0.0.1]/a.git",
  "https://[64:ff9b::a00:1]/a.git",
  "https://[fe80::1]/a.git",
  "ssh://git@10.0.0.1/a.git",
  "ssh://git@0x7f.1/a.git",
  "git@inside.example.com:me/a.git",
  "http://git.example.com/a.git",
  "https://nowhere.example.com/a.git",
  "/srv/a.git",
];
for (const address of refused) {
  test(`refuses a repository at ${address} that somebody gave by the API`, async () => {
    assert.equal(await admits(address), false);
  });
}

for (const address of [
  "https://git.example.com/a.git",
  "git@git.example.com:me/a.git",
  "ssh://git@git.example.com:2222/a",
]) {
  test(`admits a repository at ${address}`, async () => assert.equal(await admits(address), true));
}

test("an operator allows a host by name, at one port or at all, and http to it with that", async () => {
  const any = [{ host: "inside.example.com" }];
  const one = [{ host: "127.0.0.1", port: 3000 }];
  assert.equal(await admits("http://inside.example.com:8080/a.git", any), true);
  assert.equal(await admits("git@inside.example.com:a.git", any), true);
  assert.equal(await admits("http://127.0.0.1:3000/a.git", one), true);
  assert.equal(await admits("http://127.0.0.1:3001/a.git", one), false);
  assert.equal(await admits("https://127.0.0.1/a.git", one), false);
  assert.equal(await admits("ssh://git@[::1]:2222/a.git", [{ host: "::1", port: 2222 }]), true);
});
