// Brings what the registry says to the runtime: route file first, then the notice. One publication at a time.
import { resolve } from "node:path";
import type { RouteChange, RouteTable } from "../../runtime/wire.js";
import { buildRouteTable, diffRouteTables, type RouteOptions, writeRouteTable } from "../route/index.js";
import type { Registry } from "../store/index.js";

export interface PublisherDeps {
  registry: Pick<Registry, "routeState">;
  dataDir: string;
  routes: () => RouteOptions;
  /** The route file was written anew. */
  onWritten?(): void;
  /** Databases that functions are kept out of, though isolates of before may hold them. */
  closing: { reopen(): Promise<void>; close(): Promise<void> };
  runtime: {
    readonly running: boolean;
    change(change: RouteChange): Promise<{ generation: number } | "out-of-step">;
    replace(table: RouteTable): Promise<{ generation: number }>;
  };
}

export class Publisher {
  readonly #deps: PublisherDeps;
  /** What the runtime is known to serve. */
  #published: RouteTable | undefined;
  /** The last table, whose entries are used again. */
  #built: RouteTable | undefined;
  #queue: Promise<unknown> = Promise.resolve();

  constructor(deps: PublisherDeps) {
    this.#deps = deps;
  }

  /** The runtime is known to serve what was published last. */
  get inStep(): boolean {
    return this.#published !== undefined;
  }

  /** Writes the route file from the registry; for a runtime that is about to start and will read it. */
  write(): Promise<RouteTable> {
    return this.#enqueue(() => this.#writeTable());
  }

  /**
   * Makes the runtime serve what the registry says; resolves when it does. With the runtime down the file alone is
   * written: it is read at the next start.
   */
  publish(): Promise<void> {
    return this.#enqueue(async () => {
      const before = this.#published;
      const table = await this.#writeTable();
      const change = before && diffRouteTables(before, table);
      if (!this.#deps.runtime.running) return;
      // Until the runtime has answered, what it serves is not known: the next publication then sends everything.
      this.#published = undefined;
      await this.#deps.closing.reopen();
      if (!before || change) await this.#send(table, change);
      await this.#deps.closing.close();
      this.#published = table;
    });
  }

  async #send(table: RouteTable, change: RouteChange | null | undefined): Promise<void> {
    const { runtime } = this.#deps;
    const answer = change ? await runtime.change(change) : "out-of-step";
    if (answer === "out-of-step") await runtime.replace(table);
  }

  async #writeTable(): Promise<RouteTable> {
    const { registry, routes } = this.#deps;
    const table = buildRouteTable(registry.routeState(), routes(), this.#built);
    this.#built = table;
    await writeRouteTable(resolve(this.#deps.dataDir, "routes"), table);
    this.#published = table;
    this.#deps.onWritten?.();
    return table;
  }

  #enqueue<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(work, work);
    this.#queue = result.catch(() => undefined);
    return result;
  }
}
