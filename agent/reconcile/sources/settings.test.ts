import assert from "node:assert/strict";
import { test } from "node:test";
import { WrkstError } from "../../errors.js";
import type { SourceSettings } from "../../model.js";
import { checkSettings, checkSourceName } from "./settings.js";

const GOOD: SourceSettings = {
  ...{
    repo: "https://git.example.com/shop.git",
    follow: { branch: "main" },
    path: "",
    account: "main",
    interval: 10_000,
  },
  ...{ prune: { percent: 50, count: 3 }, atomic: false, previews: [], previewSecrets: false, verify: null },
};
const KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPEb0cU";
const PUBLIC = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmDME\n-----END PGP PUBLIC KEY BLOCK-----\n";

const forms: [string, Partial<SourceSettings>, Partial<SourceSettings>][] = [
  ["a path without slashes around it", { path: "/functions/" }, { path: "functions" }],
  ["a range without blanks around it", { follow: { tags: " >=1 <3 " } }, { follow: { tags: ">=1 <3" } }],
  ["each pattern once", { previews: ["feature/*", "**", "**"] }, { previews: ["feature/*", "**"] }],
  ["the embedded repository", { repo: "embedded", interval: null }, { repo: "embedded", interval: null }],
  ["an ssh address as it is", { repo: "git@git.example.com:me/a.git" }, { repo: "git@git.example.com:me/a.git" }],
  [
    "signers with options and comments",
    { verify: { what: "tag", signers: `# staff\nana@example.com namespaces="git" ${KEY} ana\n\n`, keyring: " " } },
    { verify: { what: "tag", signers: `# staff\nana@example.com namespaces="git" ${KEY} ana\n\n` } },
  ],
];
for (const [name, given, expected] of forms) {
  test(`keeps of the settings ${name}`, () =>
    assert.deepEqual(checkSettings({ ...GOOD, ...given }), { ...GOOD, ...expected }));
}

const refused: [string, Partial<SourceSettings>, RegExp?][] = [
  ["a path of this machine", { repo: "/srv/a.git" }],
  ["a transport that runs commands", { repo: "ext::sh -c x" }],
  ["credentials in the address", { repo: "https://me:word@git.example.com/a.git" }],
  ["an option as branch", { follow: { branch: "--upload-pack=x" } }],
  ["a range that semver cannot read", { follow: { tags: "newest" } }, /"follow\.tags".*"newest"/],
  ["no range", { follow: { tags: " " } }, /"follow\.tags"/],
  ["a path out of the repository", { path: "a/../../b" }],
  ["an interval below five seconds", { interval: 4_999 }],
  ["an interval that is no whole number", { interval: 5_000.5 }],
  ["an interval above a week", { interval: 8 * 86_400_000 }],
  ["more than all as prune limit", { prune: { percent: 101, count: 0 } }],
  ["a pattern that is no name", { previews: ["a..b"] }],
  ["too many patterns", { previews: Array.from({ length: 51 }, (_, index) => `b${index}`) }],
  ["a policy that names nobody", { verify: { what: "commit", signers: " \n" } }],
  ["a line of signers without a key", { verify: { what: "commit", signers: `ana ${KEY}\nbo@example.com` } }, /line 2/],
  ["a private key", { verify: { what: "commit", keyring: PUBLIC.replaceAll("PUBLIC", "PRIVATE") } }],
  ["keys without end", { verify: { what: "commit", keyring: PUBLIC.repeat(5_000) } }],
];
for (const [name, given, message = /./] of refused) {
  test(`refuses ${name}`, () => {
    assert.throws(
      () => checkSettings({ ...GOOD, ...given }),
      (error) =>
        error instanceof WrkstError && /^ERR_(INVALID|GIT_REFUSED)$/.test(error.code) && message.test(error.message),
    );
  });
}

test("the name of a source is the label of a host", () => {
  checkSourceName("shop-2");
  for (const wrong of ["", "Shop", "a/b", "-a", "a".repeat(64)]) {
    assert.throws(() => checkSourceName(wrong), { code: "ERR_INVALID" }, wrong);
  }
});
