// A request to a loaded function that does nothing: all that is left is what the way to it costs.
import { hostOf, startFleet, untilAnswered } from "../fleet.js";
import { applyLoad, type LoadResult, sumOfLoads, type Target } from "../load.js";
import { startBareLoader, startMiniflare, startStaticPair } from "../peers.js";
import { summarize } from "../statistics.js";
import { against, type Row } from "./row.js";

/** Seconds of load on each side in a round, in turn: what else the machine does then weighs on all alike. */
const SLICES = 4;
const TARGET = { pair: 1.25, miniflare: 0.9 };

export const warm: Row = {
  name: "warm",
  about: "processor time of a request to a loaded function, against two static workers and miniflare",
  async run({ scope, rounds, say }) {
    const fleet = await startFleet(scope, 1);
    await untilAnswered(fleet.port, hostOf(0), "fn-0");
    const sides: Record<string, Target> = {
      wrkst: { port: fleet.port, host: hostOf(0), pid: await fleet.runtimePid() },
      pair: await startStaticPair(scope),
      loader: await startBareLoader(scope),
      miniflare: await startMiniflare(scope),
    };
    const results = new Map<string, LoadResult[]>(Object.keys(sides).map((name) => [name, []]));
    for (const target of Object.values(sides)) await applyLoad(target, 1);
    for (let round = 1; round <= rounds; round++) {
      const slices = new Map<string, LoadResult[]>(Object.keys(sides).map((name) => [name, []]));
      for (let slice = 0; slice < SLICES; slice++) {
        for (const [name, target] of Object.entries(sides)) slices.get(name)?.push(await applyLoad(target, 1));
      }
      for (const [name, parts] of slices) results.get(name)?.push(sumOfLoads(parts));
      say(`round ${round} of ${rounds}`);
    }
    const cpu = (name: string) =>
      (results.get(name) ?? []).map((result) => (result.cpuSeconds / result.requests) * 1e6);
    const rate = (name: string) => (results.get(name) ?? []).map((result) => result.requests / result.seconds);
    const find = (key: "pair" | "miniflare", name: string) => {
      const peer = against(name, cpu("wrkst"), cpu(key));
      const target = { text: `≤ ${TARGET[key]} ×`, met: peer.ratio.median <= TARGET[key] };
      const rates = { "req/s": summarize(rate("wrkst")).median, "req/s of the peer": summarize(rate(key)).median };
      const measure = "warm request, CPU";
      return { measure, unit: "µs" as const, ours: summarize(cpu("wrkst")), peer, target, details: rates };
    };
    return [
      find("pair", "two static workers"),
      find("miniflare", "miniflare"),
      {
        measure: "warm request, CPU",
        unit: "µs",
        ours: summarize(cpu("wrkst")),
        peer: against("bare loader", cpu("wrkst"), cpu("loader")),
      },
    ];
  },
};
