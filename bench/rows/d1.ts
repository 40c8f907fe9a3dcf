// Queries of a loaded function to its database, against workerd's own D1 server behind a static binding and Miniflare. With
// many queries in a request it is the query that is measured, with one the whole way.
import { startBundled, startMiniflareWithDatabases, startOwn, touch } from "../databases.js";
import { applyLoad, type LoadResult, sumOfLoads, type Target } from "../load.js";
import type { Finding } from "../report.js";
import { type Summary, summarize } from "../statistics.js";
import { against, type Row } from "./row.js";

/** Of load on each side in a round, in turn. */
const SLICES = 2;
const SECONDS = 2;
const CONNECTIONS = 4;

interface Operation {
  measure: string;
  operation: string;
  /** In one request. */
  queries: number;
  /** At least so many times the throughput of the bundled server. */
  target?: number;
}

const OPERATIONS: Operation[] = [
  { measure: "D1 read by primary key", operation: "read", queries: 10, target: 1.4 },
  { measure: "D1 insert", operation: "insert", queries: 5, target: 1.0 },
  { measure: "D1 batch of 10 inserts", operation: "batch", queries: 3, target: 1.2 },
  { measure: "D1 read by primary key, one in a request", operation: "read", queries: 1 },
];

const PEERS = { bundled: "workerd's bundled d1.js", miniflare: "miniflare" } as const;
type Side = "wrkst" | keyof typeof PEERS;
type Results = Record<Side, LoadResult[]>;

export const d1: Row = {
  name: "d1",
  about: "D1: reads, inserts, batches in a second, against workerd's bundled d1.js and miniflare",
  async run({ scope, rounds, say }) {
    const [own] = await startOwn(scope, 1, 1);
    const sides: Record<Side, Target> = {
      wrkst: own as Target,
      bundled: await startBundled(scope, 1),
      miniflare: await startMiniflareWithDatabases(scope, 1),
    };
    for (const target of Object.values(sides)) {
      await touch(target, "create", 1);
      for (const { operation, queries } of OPERATIONS) await applyLoad(at(target, operation, queries), 1);
    }
    const results = OPERATIONS.map((): Results => ({ wrkst: [], bundled: [], miniflare: [] }));
    for (let round = 1; round <= rounds; round++) {
      for (const [index, { operation, queries }] of OPERATIONS.entries()) {
        const found = await measure(sides, operation, queries);
        for (const side of Object.keys(sides) as Side[]) results[index]?.[side].push(found[side]);
      }
      say(`round ${round} of ${rounds}`);
    }
    return OPERATIONS.flatMap((operation, index) => findingsOf(operation, results[index] as Results));
  },
};

const at = (target: Target, operation: string, queries: number): Target => ({
  ...target,
  connections: CONNECTIONS,
  path: `/${operation}/${queries}`,
});

/** All sides in turn, several times: what else the machine does then weighs on all alike. */
async function measure(sides: Record<Side, Target>, operation: string, queries: number) {
  const slices: Results = { wrkst: [], bundled: [], miniflare: [] };
  for (let slice = 0; slice < SLICES; slice++) {
    for (const side of Object.keys(sides) as Side[]) {
      slices[side].push(await applyLoad(at(sides[side], operation, queries), SECONDS));
    }
  }
  return {
    wrkst: sumOfLoads(slices.wrkst),
    bundled: sumOfLoads(slices.bundled),
    miniflare: sumOfLoads(slices.miniflare),
  };
}

function findingsOf({ measure, queries, target }: Operation, results: Results): Finding[] {
  const rates = (side: Side) => results[side].map(({ requests, seconds }) => (requests * queries) / seconds);
  const cpu = (side: Side) =>
    summarize(results[side].map(({ requests, cpuSeconds }) => (cpuSeconds / (requests * queries)) * 1e6)).median;
  return (Object.keys(PEERS) as (keyof typeof PEERS)[]).map((side) => {
    const peer = against(PEERS[side], rates("wrkst"), rates(side));
    const least = side === "bundled" ? target : 1;
    return {
      ...{ measure, unit: "/s" as const, ours: summarize(rates("wrkst")), peer },
      ...(least === undefined ? {} : { target: atLeast(peer.ratio, least) }),
      details: { "µs of CPU": cpu("wrkst"), "µs of CPU of the peer": cpu(side) },
    };
  });
}

function atLeast(ratio: Summary, limit: number) {
  return { text: `≥ ${limit} ×`, met: ratio.median >= limit };
}
