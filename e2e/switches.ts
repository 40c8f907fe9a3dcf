// Requests that keep coming while versions switch: fast ones, and slow ones that are in flight during several switches.
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { sendRequest, type TestAgent, type TestRepository } from "./harness.js";

const run = promisify(execFile);

/** Says its number at once, and, when asked slowly, again and again for half a second: from the start to the end of one request. */
const workerOf = (number: number) => `
const number = ${number};
export default {
  async fetch(request: Request): Promise<Response> {
    const received = await request.text();
    if (new URL(request.url).pathname === "/fast") return new Response(number + ":" + received);
    const { readable, writable } = new TransformStream();
    const writer = writable.getWriter();
    const encoder = new TextEncoder();
    const write = async () => {
      for (let turn = 0; turn < 10; turn++) {
        await writer.write(encoder.encode(number + " "));
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      await writer.close();
    };
    void write();
    return new Response(readable);
  },
};
`;

const files = (name: string, number: number) => ({
  [`${name}/wrangler.toml`]: `name = "${name}"\nmain = "index.ts"\ncompatibility_date = "2026-11-01"\n`,
  [`${name}/index.ts`]: workerOf(number),
});

export interface Traffic {
  /** Begins to ask; to be called once the functions serve. */
  begin(): void;
  stop(): Promise<{ answered: number; failures: string[]; versions: Set<string> }>;
}

/** Four fast and twelve slow clients for each function, each asking again as soon as it was answered. */
export function startTraffic(agent: TestAgent, names: string[]): Traffic {
  const failures: string[] = [];
  const versions = new Set<string>();
  let answered = 0;
  let stopped = false;
  const clients: Promise<void>[] = [];

  async function ask(name: string, path: "/fast" | "/slow"): Promise<void> {
    while (!stopped) {
      const body = `body ${answered}`;
      const answer = await sendRequest(agent.port, `${name}.localhost`, path, { method: "POST", body }).catch(String);
      const fault = typeof answer === "string" ? answer : faultOf(answer, path, body);
      if (fault) failures.push(`${name}${path}: ${fault}`);
      else if (typeof answer !== "string") versions.add(`${name} ${/^\d+/.exec(answer.text)?.[0]}`);
      answered++;
    }
  }

  return {
    begin() {
      for (const name of names) {
        for (let index = 0; index < 4; index++) clients.push(ask(name, "/fast"));
        for (let index = 0; index < 12; index++) clients.push(ask(name, "/slow"));
      }
    },
    async stop() {
      stopped = true;
      await Promise.all(clients);
      return { answered, failures: failures.slice(0, 10), versions };
    },
  };
}

function faultOf(answer: { status: number; text: string }, path: string, body: string): string | undefined {
  if (answer.status !== 200) return `${answer.status} ${answer.text.slice(0, 200)}`;
  if (path === "/fast") return answer.text.endsWith(`:${body}`) ? undefined : `answered ${answer.text}`;
  const numbers = answer.text.trim().split(" ");
  const whole = numbers.length === 10 && new Set(numbers).size === 1;
  return whole ? undefined : `answered ${answer.text}`;
}

/** Switches the function `count` times by moving the branch; the function "steady" stays as it is. */
export async function switchVersions(options: {
  agent: TestAgent;
  repository: TestRepository;
  name: string;
  count: number;
  traffic: Traffic;
}): Promise<void> {
  const { agent, repository, name, count, traffic } = options;
  await repository.commit({ ...files("steady", 0), ...files(name, 0) });
  await repository.push(agent);
  const commits: string[] = [];
  for (let number = 1; number <= count; number++) commits.push(await repository.commit(files(name, number)));
  await repository.push(agent, "HEAD:refs/heads/aside", "--force");
  traffic.begin();
  const dir = join(agent.dataDir, "git/functions.git");
  for (const commit of commits) {
    await run("git", ["-C", dir, "update-ref", "refs/heads/main", commit]);
    await agent.api("/api/v1/sources/default/sync?wait=true", { method: "POST" });
  }
}
