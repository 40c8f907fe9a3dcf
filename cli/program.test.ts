import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { type AddressInfo, createServer as createTcpServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { functionStatus, type MemoryPlatform, passReport } from "../agent/api/memory-platform.js";
import { serveApi, TOKEN } from "../agent/api/testing.js";
import { NOW } from "./test-platform.js";
import { parseLine, parseScript, type Result, wrkst as runCommand, type Setting, transcript } from "./testing.js";
import { COMMANDS, VERSION } from "./wording.js";

const ESCAPE = String.fromCharCode(27);

const folder = await mkdtemp(join(tmpdir(), "wrkst-cli-"));
after(() => rm(folder, { recursive: true, force: true }));

function wrkst(args: string[], env: Record<string, string>, more: Partial<Setting> = {}): Promise<Result> {
  return runCommand(args, { env, folder, home: folder, now: NOW, ...more });
}

const error = {
  code: "ERR_BUNDLE" as const,
  message: 'expected ";" but found "}"',
  position: { file: "broken/index.ts", line: 3, column: 5 },
  hint: "mend the file and push again",
};

/** What each script finds. */
const scenes: Record<string, { token: string; set: (platform: MemoryPlatform) => void }> = {
  status: {
    token: TOKEN,
    set: (platform) => {
      const updated = { name: "hello", folder: "hello", result: "updated" as const, warnings: [] };
      platform.outcome = passReport({ from: `main@sha1:${"a".repeat(40)}`, functions: [updated] });
    },
  },
  broken: {
    token: TOKEN,
    set: (platform) => {
      const [source] = platform.sourceList;
      const sourceError = {
        code: "ERR_GIT" as const,
        message: "cannot reach the repository",
        hint: "look at the network",
      };
      platform.sourceList = [{ ...source!, state: "failed", error: sourceError }];
      platform.functionList = [
        functionStatus("broken", { state: "failed", error }),
        functionStatus("hello"),
        functionStatus("odd", {
          state: "quarantined",
          version: null,
          revision: null,
          error: { code: "ERR_RUNTIME", message: `two lines,\n${ESCAPE}[31mred and a bell\x07` },
        }),
      ];
      const outcome = { name: "broken", folder: "broken", result: "failed" as const, warnings: [], error };
      platform.outcome = passReport({ result: "failed", functions: [outcome] });
    },
  },
  usage: { token: "wrkst_of-another-server", set: () => undefined },
  telling: { token: TOKEN, set: () => undefined },
};

for (const [name, scene] of Object.entries(scenes)) {
  test(`speaks as written in testdata/${name}.txt`, async () => {
    const served = await serveApi();
    try {
      scene.set(served.platform);
      for (const { command, expected } of parseScript(await readFile(`cli/testdata/${name}.txt`, "utf8"))) {
        const { args, input, pick } = parseLine(command);
        const result = await wrkst(args, { WRKST_URL: served.url, WRKST_TOKEN: scene.token }, { input });
        assert.equal(transcript(result, pick), expected, `$ ${command}`);
      }
    } finally {
      await served.close();
    }
  });
}

test("a sync that came to nothing says why and ends with 1: nothing of the revision serves", async () => {
  const served = await serveApi();
  try {
    const why = { code: "ERR_SUSPENDED" as const, message: 'the source "default" is suspended by ann', hint: "wait" };
    served.platform.outcome = passReport({ result: "superseded", to: null, error: why });
    const { code, out, err } = await wrkst(["sync", "--wait"], { WRKST_URL: served.url, WRKST_TOKEN: TOKEN });
    assert.deepEqual(
      [code, out.split("\n").slice(0, 3), err],
      [
        1,
        ['source "default": superseded', '  error: the source "default" is suspended by ann', "  hint: wait"],
        "wrkst: error: not ready: default\nwrkst: hint: see: wrkst why --source default\n",
      ],
    );
  } finally {
    await served.close();
  }
});

test("finds the token of a server on this machine, in its data folder or the one that is named", async () => {
  const served = await serveApi();
  try {
    const env = { WRKST_URL: served.url };
    assert.equal((await wrkst(["status"], env)).code, 1);
    for (const data of ["data", "elsewhere"]) {
      await mkdir(join(folder, data, "secrets"), { recursive: true });
      await writeFile(join(folder, data, "secrets/admin-token"), `${TOKEN}\n`);
    }
    assert.equal((await wrkst(["status"], env)).code, 0);
    assert.equal((await wrkst(["status"], { ...env, DATA_DIR: "elsewhere" }, { folder: "/" })).code, 1);
    assert.equal((await wrkst(["status"], { ...env, DATA_DIR: join(folder, "elsewhere") }, { folder: "/" })).code, 0);
    assert.equal((await wrkst(["status", "--token-file", "data/secrets/admin-token"], env)).code, 0);
  } finally {
    await served.close();
  }
});

test("says what answers when it is no wrkst, and follows no redirect with the token", async () => {
  const asked: string[] = [];
  const other = createServer((req, res) => {
    asked.push(req.url ?? "");
    res.writeHead(302, { location: "/elsewhere" }).end("<html>");
  });
  await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
  const { port } = other.address() as AddressInfo;
  const { code, err } = await wrkst(["status"], { WRKST_URL: `http://127.0.0.1:${port}`, WRKST_TOKEN: "x" });
  other.close();
  assert.deepEqual([code, asked], [1, ["/api/v1/status"]]);
  assert.match(err, /something else \(302\)/);
});

test("colours states only when asked to", async () => {
  const served = await serveApi();
  try {
    const env = { WRKST_URL: served.url, WRKST_TOKEN: TOKEN };
    assert.ok((await wrkst(["status"], env, { colour: true })).out.includes(`${ESCAPE}[32mready`));
    assert.ok(!(await wrkst(["status"], env)).out.includes(ESCAPE));
  } finally {
    await served.close();
  }
});

test("runs as the command that is published, with the version of its package", async () => {
  const served = await serveApi();
  try {
    const env = { PATH: process.env.PATH, WRKST_URL: served.url, WRKST_TOKEN: TOKEN };
    const child = spawn("cli/bin/wrkst.mjs", ["status", "--json"], { env });
    let out = "";
    child.stdout.on("data", (chunk) => {
      out += chunk;
    });
    const code = await new Promise((resolve) => child.on("close", resolve));
    assert.equal(code, 0);
    assert.equal(JSON.parse(out).functions.length, 2);
    assert.equal(JSON.parse(await readFile("cli/package.json", "utf8")).version, VERSION);
  } finally {
    await served.close();
  }
});

test("every command explains itself, with examples for those that have any", async () => {
  for (const [path, { about, ...more }] of Object.entries(COMMANDS)) {
    const { out, code } = await wrkst([...path.split(" "), "--help"], {});
    assert.equal(code, 0, path);
    assert.ok(out.replace(/\s+/g, " ").includes(about.replace(/\s+/g, " ")), path);
    const examples = "examples" in more ? more.examples : [];
    for (const example of examples) assert.ok(out.includes(example), example);
  }
});

test("shows nothing that a terminal would obey, in JSON neither", async () => {
  const served = await serveApi();
  try {
    const odd = `\x1b]0;title\x07\u009b31m\u202e`;
    served.platform.functionList = [functionStatus("odd", { error: { ...error, message: odd } })];
    for (const more of [[], ["--json"]]) {
      const { out } = await wrkst(["status", ...more], { WRKST_URL: served.url, WRKST_TOKEN: TOKEN });
      assert.doesNotMatch(out, /[\x07\x1b\u0080-\u009f\u202e]/);
      if (more.length) assert.equal(JSON.parse(out).functions[0].error.message, odd);
    }
  } finally {
    await served.close();
  }
});

test("says that the server cannot be reached, with what to do, where it ends the connection", async () => {
  const begun = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 900\r\n\r\n{";
  const endings = [(socket: Socket) => socket.resetAndDestroy(), (socket: Socket) => socket.end(begun)];
  for (const end of endings) {
    const other = createTcpServer((socket) => socket.on("error", () => {}).once("data", () => end(socket)));
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
    for (const args of [["status"], ["tail", "hello"]]) {
      const { code, err } = await wrkst(args, { WRKST_URL: url, WRKST_TOKEN: "x" });
      assert.equal(code, 1);
      assert.match(err, /error: (?:cannot reach "http|the server ended the connection).*\n.*hint: start it with/, err);
    }
    other.close();
  }
});

test("wrong usage is answered with the help of the command that was meant", async () => {
  const cases: [args: string[], command: string][] = [
    [["suspend", "hello"], "wrkst suspend"],
    [["source", "suspend", "shop"], "wrkst source suspend"],
    [["source", "webhook", "svn"], "wrkst source webhook"],
    [["source", "report", "shop", "--provider", "svn"], "wrkst source report"],
    [["source", "frobnicate"], "wrkst source"],
    [["pin", "--expires", "soon", "--name", "hello"], "wrkst pin"],
    [["frobnicate"], "wrkst"],
  ];
  for (const [args, command] of cases) {
    const { code, err } = await wrkst(args, {});
    assert.equal(code, 2);
    assert.ok(err.endsWith(`see: ${command} --help\n`), err);
  }
  const { err } = await wrkst(["source", "report", "shop", "--provider", "svn"], {});
  assert.match(err, /is invalid: expected github, gitlab, gitea, forgejo, bitbucket\n/);
});
