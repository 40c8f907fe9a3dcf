// `wrkst tokens` and `users`: who gets in.

import { type Command, InvalidArgumentError, Option } from "commander";
import type { Token, User } from "../answers.js";
import { parseExpiry } from "../duration.js";
import type { Io } from "../io.js";
import { listTokens, listUsers } from "../lists.js";
import { type Common, openSession } from "../session.js";
import { says, TEXT } from "../wording.js";
import { addAsking, addCommand } from "./command.js";

interface CreateOptions extends Common {
  scopes: string[];
  expires?: string;
}

export function addTokens(program: Command, io: Io): void {
  addCommand(program, "tokens");
  addAsking(program, "tokens create")
    .argument("<name>", TEXT.tokenName)
    .option("--scopes <list>", TEXT.scopes, parseScopes, ["read", "deploy"])
    .option("--expires <duration>", TEXT.expires)
    .action(async (name: string, { scopes, expires, ...options }: CreateOptions) => {
      const { client, print, say } = openSession(options, io);
      const account = options.account ?? io.env.WRKST_ACCOUNT;
      const body = {
        name,
        scopes,
        ...(expires === undefined ? {} : { expires: parseExpiry(expires, io.now()) }),
        ...(account && { account }),
      };
      const token = await client.ask<Token & { token: string }>("POST", "/api/v1/tokens", { body });
      say(says.tokenMade(token.id, token.account));
      print(token, `${token.token}\n`);
    });
  addAsking(program, "tokens list").action(async (options: Common) => {
    const { client, print } = openSession(options, io);
    const { tokens } = await client.ask<{ tokens: Token[] }>("GET", "/api/v1/tokens");
    print(tokens, listTokens(tokens, io));
  });
  addAsking(program, "tokens revoke")
    .argument("<id>", TEXT.tokenId)
    .action(async (id: string, options: Common) => {
      const { client, confirm } = openSession(options, io);
      await client.ask("DELETE", `/api/v1/tokens/${encodeURIComponent(id)}`);
      confirm({ id, revoked: true }, says.tokenRevoked(id));
    });
}

const SCOPES = ["read", "deploy", "git", "metrics", "admin"];

function parseScopes(raw: string): string[] {
  const scopes = raw.split(",").map((scope) => scope.trim());
  const unknown = scopes.find((scope) => !SCOPES.includes(scope));
  if (unknown === undefined) return scopes;
  throw new InvalidArgumentError(`expected ${SCOPES.join(", ")}, received "${unknown}".`);
}

interface UserOptions extends Common {
  role?: string;
  disable?: boolean;
  enable?: boolean;
}

export function addUsers(program: Command, io: Io): void {
  addCommand(program, "users");
  addAsking(program, "users list").action(async (options: Common) => {
    const { client, print } = openSession(options, io);
    const { users } = await client.ask<{ users: User[] }>("GET", "/api/v1/users");
    print(users, listUsers(users, io));
  });
  addAsking(program, "users set")
    .argument("<id>", TEXT.userId)
    .addOption(new Option("--role <role>", TEXT.role).choices(["admin", "deployer", "viewer"]))
    .addOption(new Option("--disable", TEXT.disable).conflicts("enable"))
    .option("--enable", TEXT.enable)
    .action(async (id: string, { role, disable, enable, ...options }: UserOptions) => {
      const { client, print } = openSession(options, io);
      const disabled = disable ? true : enable ? false : undefined;
      const body = { ...(role && { role }), ...(disabled === undefined ? {} : { disabled }) };
      const user = await client.ask<User>("PATCH", `/api/v1/users/${encodeURIComponent(id)}`, { body });
      print(user, listUsers([user], io));
    });
}
