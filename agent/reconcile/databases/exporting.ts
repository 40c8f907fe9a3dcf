// Databases as SQL text, in a file. Never holds more of it than one part in memory.
import { randomUUID } from "node:crypto";
import { createWriteStream } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { WrkstError } from "../../errors.js";
import type { DatabaseRef } from "../../model.js";
import type { ContentContext } from "./content-context.js";

export interface ExportOptions {
  noSchema?: boolean;
  noData?: boolean;
  tables?: string[];
}

export function createExporting(context: ContentContext) {
  const { runtime, temporary } = context.deps;
  return {
    async export(of: DatabaseRef, options: ExportOptions): Promise<string> {
      const database = context.expect(of);
      const file = join(temporary, `export-${randomUUID()}.sql`);
      await mkdir(temporary, { recursive: true, mode: 0o700 });
      try {
        const dump = await runtime.dump({ object: context.object(database), ...options });
        await pipeline(dump, createWriteStream(file, { flags: "wx", mode: 0o600 }));
        return file;
      } catch (error) {
        await rm(file, { force: true });
        if (error instanceof WrkstError) throw error;
        throw new WrkstError("ERR_RUNTIME", `the export of "${database.name}" broke off: ${(error as Error).message}`, {
          cause: error,
          hint: "try again; a table that is not there cannot be exported",
        });
      }
    },
  };
}
