// `wrkst login`, `logout`, `whoami`.

import type { Command } from "commander";
import type { Io } from "../io.js";
import { askWhoami, type Common, openSession } from "../session.js";
import { formatPairs } from "../table.js";
import { says, TEXT } from "../wording.js";
import { addAsking } from "./command.js";

export function addLogin(program: Command, io: Io): void {
  addAsking(program, "login")
    .option("--device", TEXT.device)
    .action(async (options: Common & { device?: boolean }) => {
      const { loginByBrowser, loginByDevice } = await import("../login.js");
      const { config, client } = openSession(options, io);
      const { origin } = client.url;
      if (io.env.WRKST_TOKEN) io.err(says.warning(TEXT.tokenWins));
      const login = await (options.device ? loginByDevice : loginByBrowser)({ io, config, url: client.url });
      await config.update((current) => {
        current.servers[origin] = { login };
        current.url ??= origin;
      });
      const session = openSession({ ...options, url: origin }, { ...io, env: { ...io.env, WRKST_TOKEN: undefined } });
      const who = await askWhoami(session.client);
      const account = options.account ?? who.account;
      await config.update((current) => {
        current.servers[origin] = { ...current.servers[origin], account };
      });
      session.print(who, says.loggedIn(who.name, origin, account));
    });
  addAsking(program, "logout").action(async (options: Common) => {
    const { logout } = await import("../login.js");
    const { config, client, confirm } = openSession(options, io);
    const { origin } = client.url;
    const wasIn = await logout({ io, config, url: client.url });
    confirm({ url: origin, loggedOut: wasIn }, wasIn ? says.loggedOut(origin) : says.notLoggedIn(origin));
  });
  addAsking(program, "whoami").action(async (options: Common) => {
    const session = openSession(options, io);
    const who = await askWhoami(session.client);
    session.print(
      who,
      formatPairs([
        ["name", who.name],
        ["email", who.email],
        ["role", who.role],
        ["account", who.account],
        ["scopes", who.scopes.join(", ")],
        ["credential", who.credential?.kind],
        ["server", session.client.url.origin],
      ]),
    );
  });
}
