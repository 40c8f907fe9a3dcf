import assert from "node:assert/strict";
import { test } from "node:test";
import type { CommitState, CommitStatusSettings, Forge } from "../model.js";
import { isShownAlready, letterOf, resolveSettings } from "./forges.js";

const COMMIT = "3f2a91c0".padEnd(40, "d");
const settingsOf = (provider: Forge, api: string, repository = "you/shop"): CommitStatusSettings => ({
  ...{ provider, api, repository, context: "wrkst/shop" },
});
const say = (settings: CommitStatusSettings, state: CommitState, link: string | null = "https://w.example.com/s") => {
  const letter = letterOf({ settings, state, link, description: "two", token: "t0ken", commit: COMMIT });
  const { body, ...rest } = letter;
  return { ...rest, body: JSON.parse(body) as Record<string, unknown> };
};
const json = { accept: "application/json", "content-type": "application/json" };

test("asks GitHub as it documents it, and says that what was overtaken was not judged", () => {
  const github = settingsOf("github", "https://api.github.com");
  assert.deepEqual(say(github, "failure"), {
    url: `https://api.github.com/repos/you/shop/statuses/${COMMIT}`,
    headers: {
      ...json,
      accept: "application/vnd.github+json",
      authorization: "Bearer t0ken",
      "x-github-api-version": "2022-11-28",
    },
    body: { state: "failure", target_url: "https://w.example.com/s", description: "two", context: "wrkst/shop" },
  });
  assert.deepEqual(say(github, "superseded", null).body, {
    ...{ state: "error", description: "two", context: "wrkst/shop" },
  });
});

test("asks GitLab as it documents it, with the path of the project as one part", () => {
  const gitlab = settingsOf("gitlab", "https://gitlab.com/api/v4", "group/sub.group/shop");
  assert.deepEqual(say(gitlab, "failure"), {
    url: `https://gitlab.com/api/v4/projects/group%2Fsub.group%2Fshop/statuses/${COMMIT}`,
    headers: { ...json, "private-token": "t0ken" },
    body: { state: "failed", name: "wrkst/shop", target_url: "https://w.example.com/s", description: "two" },
  });
  const states = (["pending", "success", "superseded"] as const).map((state) => say(gitlab, state).body.state);
  assert.deepEqual(states, ["pending", "success", "canceled"]);
});

for (const provider of ["gitea", "forgejo"] as const) {
  test(`asks ${provider} as it documents it`, () => {
    assert.deepEqual(say(settingsOf(provider, "https://git.example.com/api/v1"), "success"), {
      url: `https://git.example.com/api/v1/repos/you/shop/statuses/${COMMIT}`,
      headers: { ...json, authorization: "token t0ken" },
      body: { state: "success", target_url: "https://w.example.com/s", description: "two", context: "wrkst/shop" },
    });
  });
}

test("asks Bitbucket Cloud as it documents it, with the commit's own page where there is no other", () => {
  const cloud = settingsOf("bitbucket", "https://api.bitbucket.org/2.0");
  assert.deepEqual(say(cloud, "pending", null), {
    url: `https://api.bitbucket.org/2.0/repositories/you/shop/commit/${COMMIT}/statuses/build`,
    headers: { ...json, authorization: "Bearer t0ken" },
    body: {
      ...{ key: "wrkst/shop", state: "INPROGRESS", name: "wrkst/shop", description: "two" },
      url: `https://bitbucket.org/you/shop/commits/${COMMIT}`,
    },
  });
  const basic = say({ ...cloud, username: "me@example.com" }, "superseded");
  assert.equal(basic.headers.authorization, `Basic ${Buffer.from("me@example.com:t0ken").toString("base64")}`);
  assert.equal(basic.body.state, "STOPPED");
  const [one, other] = ["a", "b"].map(
    (end) => say({ ...cloud, context: `${"x".repeat(60)}${end}` }, "success").body.key,
  );
  assert.equal(String(one).length, 40);
  assert.notEqual(one, other);
});

test("asks Bitbucket Data Center for a build of the repository, as it documents it", () => {
  assert.deepEqual(say(settingsOf("bitbucket", "https://git.example.com/rest", "~ana/shop"), "success", null), {
    url: `https://git.example.com/rest/api/latest/projects/~ana/repos/shop/commits/${COMMIT}/builds`,
    headers: { ...json, authorization: "Bearer t0ken" },
    body: {
      ...{ key: "wrkst/shop", state: "SUCCESSFUL", name: "wrkst/shop", description: "two" },
      url: `https://git.example.com/projects/~ana/repos/shop/commits/${COMMIT}`,
    },
  });
});

test("cuts descriptions to what a forge takes, by characters", () => {
  const statement = {
    state: "failure",
    link: null,
    token: "t",
    commit: COMMIT,
    description: "🙂".repeat(300),
  } as const;
  const lengthAt = (provider: Forge) => {
    const { body } = letterOf({ ...statement, settings: settingsOf(provider, "https://git.example.com/api/v1") });
    return [...(JSON.parse(body).description as string)].length;
  };
  assert.deepEqual((["github", "gitlab", "gitea"] as const).map(lengthAt), [140, 255, 255]);
});

test("takes GitLab's refusal to say a thing again for what it is, and nobody else's", () => {
  const text = '{"message":"Cannot transition status via :enqueue from :pending"}';
  assert.equal(isShownAlready("gitlab", { status: 400, headers: {}, text }), true);
  assert.equal(isShownAlready("gitlab", { status: 400, headers: {}, text: "no" }), false);
  assert.equal(isShownAlready("github", { status: 400, headers: {}, text }), false);
});

const derived: [repo: string, asked: { provider?: Forge }, api: string, repository: string][] = [
  ["https://github.com/you/shop.git", {}, "https://api.github.com", "you/shop"],
  ["git@github.com:you/shop.git", {}, "https://api.github.com", "you/shop"],
  ["ssh://git@gitlab.com/group/sub/shop.git", {}, "https://gitlab.com/api/v4", "group/sub/shop"],
  ["https://bitbucket.org/you/shop", {}, "https://api.bitbucket.org/2.0", "you/shop"],
  ["https://codeberg.org/you/shop/", {}, "https://codeberg.org/api/v1", "you/shop"],
  ["https://git.example.com/you/shop.git", { provider: "github" }, "https://git.example.com/api/v3", "you/shop"],
  ["http://10.0.0.5:3000/you/shop.git", { provider: "gitea" }, "http://10.0.0.5:3000/api/v1", "you/shop"],
  ["ssh://git@git.example.com:2222/g/shop.git", { provider: "gitlab" }, "https://git.example.com/api/v4", "g/shop"],
  ["https://git.example.com/scm/PRJ/shop.git", { provider: "bitbucket" }, "https://git.example.com/rest", "PRJ/shop"],
];
for (const [repo, asked, api, repository] of derived) {
  test(`derives from ${repo} where its forge is asked`, () => {
    const settings = resolveSettings(asked, { name: "shop", repo });
    assert.deepEqual([settings.api, settings.repository, settings.context], [api, repository, "wrkst/shop"]);
  });
}

const wrong: [string, Parameters<typeof resolveSettings>[0], string][] = [
  ["an own host whose kind nobody said", {}, "https://git.example.com/you/shop.git"],
  ["a repository on no host", { provider: "github" }, "embedded"],
  ["an address with credentials", { api: "https://me:secret@git.example.com/api/v1" }, "https://gitea.com/a/b"],
  ["a repository that climbs", { repository: "../x" }, "https://gitea.com/a/b"],
  ["a repository with a query", { repository: "a/b?x=y" }, "https://gitea.com/a/b"],
  ["a group below a group where there is none", { repository: "a/b/c" }, "https://gitea.com/a/b"],
  ["a context with control characters", { context: "a\nb" }, "https://gitea.com/a/b"],
];
for (const [name, asked, repo] of wrong) {
  test(`refuses ${name} (C2)`, () => {
    assert.throws(() => resolveSettings(asked, { name: "shop", repo }), { code: "ERR_INVALID" });
  });
}
