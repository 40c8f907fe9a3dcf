import assert from "node:assert/strict";
import { test } from "node:test";
import { follow, forge, signal, text } from "./test-follow.js";
import { blob, commit, git, temporaryFolder } from "./test-repository.js";

/** What becomes of a source of tags, read over HTTP and where it lies. */
for (const kind of ["a remote", "the embedded repository"]) {
  test(`follows the newest tag in a range of ${kind}: new, lower, moved, deleted, none`, async (t) => {
    const { url, repo } = await forge(t);
    const where = kind === "a remote" ? url : { embedded: repo };
    const source = await follow(t, { repo: where, gitDir: await temporaryFolder(t), follow: { tags: "^1" } });
    const tag = (...args: string[]) => git(repo, ["tag", ...args]);
    const idOf = async (name: string) => (await git(repo, ["rev-parse", `refs/tags/${name}`])).stdout.trim();
    const first = await commit(repo, { x: "1" });
    await assert.rejects(source.fetch({ signal }), { code: "ERR_GIT_NO_BRANCH" });
    assert.equal(source.branch, "^1");
    await tag("v1.0.0", first);
    assert.deepEqual(await source.fetch({ signal }), { commit: first, tag: { name: "v1.0.0", id: first } });
    assert.equal(source.branch, "v1.0.0");
    const second = await commit(repo, { x: "2" });
    await tag("-a", "-m", "second", "v1.1.0", second);
    const annotated = { commit: second, tag: { name: "v1.1.0", id: await idOf("v1.1.0") } };
    // What was announced is shown, though it is not the newest: nobody waits for it.
    assert.deepEqual(await source.fetch({ signal, goal: first }), annotated);
    assert.deepEqual(await source.fetch({ signal }), annotated);
    assert.match(Buffer.from(await source.bytes(annotated.tag.id, "tag")).toString(), /\ntag v1\.1\.0\n/);
    assert.equal((await source.snapshot(second)).revision.branch, "v1.1.0");
    assert.equal(await text(source, second, "x"), "2");
    await tag("v1.0.5", first);
    await tag("v2.0.0", first);
    assert.deepEqual(await source.fetch({ signal, goal: first }), annotated);
    await tag("-f", "-a", "-m", "moved", "v1.1.0", first);
    const moved = { commit: first, tag: { name: "v1.1.0", id: await idOf("v1.1.0") } };
    assert.deepEqual(await source.look(signal), moved);
    assert.deepEqual(await source.fetch({ signal }), moved);
    await tag("-d", "v1.1.0");
    assert.deepEqual(await source.fetch({ signal }), { commit: first, tag: { name: "v1.0.5", id: first } });
    await tag("-d", "v1.0.0", "v1.0.5");
    await assert.rejects(source.fetch({ signal }), { code: "ERR_GIT_NO_BRANCH" });
    assert.equal(await text(source, first, "x"), "1");
    await tag("v1.9.0", await blob(repo, "no commit"));
    await assert.rejects(source.fetch({ signal }), { code: "ERR_GIT", message: /"v1\.9\.0"/ });
  });
}
