// `wrkst secret`: values that functions get and nobody reads again. Invariant: no value is ever an argument.

import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { parseEnv } from "node:util";
import type { Command } from "commander";
import type { SecretName } from "../answers.js";
import { Failure } from "../failure.js";
import type { Io } from "../io.js";
import { askSecret, readInput } from "../prompt.js";
import { says, TEXT } from "../wording.js";
import { addCommand, addOfFunction, type OfFunction, openFunction } from "./command.js";

export function addSecret(program: Command, io: Io): void {
  addCommand(program, "secret");
  addOfFunction(program, "secret put")
    .argument("<key>", TEXT.secret)
    .action(async (key: string, options: OfFunction) => {
      const { name, script, confirm } = await openFunction(options, io);
      const text = await askSecret(says.askSecret(key, name), io);
      await script("PUT", name, "secrets", { body: { name: key, text, type: "secret_text" } });
      confirm({ function: name, set: [key], deleted: [] }, says.secretSet(name, [key]));
    });
  addOfFunction(program, "secret list").action(async (options: OfFunction) => {
    const { name, script, print, say } = await openFunction(options, io);
    const secrets = await script<SecretName[]>("GET", name, "secrets");
    print(secrets, secrets.map((secret) => `${secret.name}\n`).join(""));
    if (!secrets.length) say(says.noSecrets(name));
  });
  addOfFunction(program, "secret delete")
    .argument("<key>", TEXT.secret)
    .action(async (key: string, options: OfFunction) => {
      const { name, script, confirm } = await openFunction(options, io);
      await script("DELETE", name, `secrets/${encodeURIComponent(key)}?url_encoded=true`);
      confirm({ function: name, set: [], deleted: [key] }, says.secretDeleted(name, key));
    });
  addOfFunction(program, "secret bulk")
    .argument("[file]", TEXT.secretFile, "-")
    .action(async (file: string, options: OfFunction) => {
      const { name, script, confirm } = await openFunction(options, io);
      const values = parseValues(file === "-" ? await readInput(io) : await readText(resolve(io.folder, file)));
      const secrets = Object.fromEntries(
        Object.entries(values).map(([key, text]) => [
          key,
          text === null ? null : { name: key, text, type: "secret_text" },
        ]),
      );
      const headers = { "content-type": "application/merge-patch+json" };
      await script("PATCH", name, "secrets-bulk", { body: { secrets }, headers });
      const keys = Object.keys(values);
      const deleted = keys.filter((key) => values[key] === null);
      const set = keys.filter((key) => values[key] !== null);
      confirm({ function: name, set, deleted }, says.secretsChanged(name, set, deleted));
    });
}

async function readText(file: string): Promise<string> {
  return readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    throw new Failure(says.unreadable(file, error.code ?? ""));
  });
}

/** A JSON object of strings (null deletes), or lines `KEY=value`. Values are in no message. */
function parseValues(text: string): Record<string, string | null> {
  const values: unknown = text.trimStart().startsWith("{") ? parseJson(text) : parseEnv(text);
  const entries = typeof values === "object" && values !== null ? Object.entries(values) : [];
  const isRight = entries.every(([, value]) => typeof value === "string" || value === null);
  if (entries.length && isRight) return values as Record<string, string | null>;
  throw new Failure(TEXT.badSecrets, TEXT.secretsForm);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
