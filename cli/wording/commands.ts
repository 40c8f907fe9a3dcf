// What each command is, by its path, with examples. Pure.

/** Groups of the help. */
const GROUPS = { deploy: "Deploy:", look: "Look:", access: "Access:" };

/** What each command is, by its path; the examples stand below its help. */
export const COMMANDS = {
  init: {
    group: GROUPS.deploy,
    about: "write the first files of a functions repository, or of one function",
    examples: ["wrkst init functions", "wrkst init greet --template websocket"],
  },
  deploy: {
    group: GROUPS.deploy,
    about: "bundle the function in a folder, check it and let it serve",
    examples: [
      "wrkst deploy",
      "wrkst deploy greet --env production --message 'Greet in French'",
      "wrkst deploy greet --alias test      # reachable as test.greet.<base>, latest stays",
      "wrkst deploy greet --force           # also where git declares it: pins what is deployed",
    ],
  },
  versions: { group: GROUPS.deploy, about: "list, view, upload and deploy versions" },
  "versions list": {
    about: "list the versions of a function, newest first",
    examples: ["wrkst versions list --name greet"],
  },
  "versions view": { about: "show one version", examples: ["wrkst versions view 1a2b3c4d"] },
  "versions upload": {
    about: "bundle and check a version, and deploy nothing",
    examples: ["wrkst versions upload", "wrkst versions upload greet --alias test --tag v2"],
  },
  "versions deploy": {
    about: "let one version serve, or divide the traffic between two",
    examples: ["wrkst versions deploy 1a2b3c4d", "wrkst versions deploy 1a2b3c4d@90 5e6f7a8b@10"],
  },
  deployments: { group: GROUPS.deploy, about: "what served when" },
  "deployments list": { about: "list deployments, newest first", examples: ["wrkst deployments list --name greet"] },
  "deployments status": { about: "show what serves now, and its share of the traffic" },
  rollback: {
    group: GROUPS.deploy,
    about: "go back to the version before, or to one that is named; the next push or deploy ends it",
    examples: ["wrkst rollback", "wrkst rollback 1a2b3c4d --name greet --reason 'wrong prices'"],
  },
  promote: {
    group: GROUPS.deploy,
    about: "give the version that is on trial all the traffic, and end its trial",
    examples: ["wrkst promote greet"],
  },
  alias: { group: GROUPS.deploy, about: "names that lead to versions: <alias>.<function>.<base>" },
  "alias list": { about: "list the aliases of a function" },
  "alias set": { about: "make an alias, or move it", examples: ["wrkst alias set test 1a2b3c4d --name greet"] },
  "alias delete": { about: "remove an alias" },
  pin: {
    group: GROUPS.deploy,
    about: "hold an alias at a version, whatever is pushed, until it is unpinned",
    examples: ["wrkst pin", "wrkst pin 1a2b3c4d --name greet --reason 'fair this week' --expires 7d"],
  },
  unpin: {
    group: GROUPS.deploy,
    about: "release a pin: the newest revision applies at once",
    examples: ["wrkst unpin greet"],
  },
  secret: { group: GROUPS.deploy, about: "values that a function gets in env and nobody reads again" },
  "secret put": {
    about: "set a secret; the value is asked for, or read from stdin",
    examples: ["wrkst secret put API_KEY --name greet", "pass show api-key | wrkst secret put API_KEY"],
  },
  "secret list": { about: "list the names of secrets" },
  "secret delete": { about: "remove a secret" },
  "secret bulk": {
    about: "set several secrets in one step",
    examples: ["wrkst secret bulk .env --name greet", 'echo \'{"A":"1","B":null}\' | wrkst secret bulk'],
  },
  d1: { group: GROUPS.deploy, about: "databases: look at them, ask them, copy them, go back in time" },
  "d1 list": { about: "list databases", examples: ["wrkst d1 list", "wrkst d1 list --removed"] },
  "d1 create": { about: "make an empty database, open to all functions of the account" },
  "d1 info": {
    about: "show size, tables, who uses it, what was asked, the slowest statements, what is pending",
    examples: ["wrkst d1 info shop", "wrkst d1 info DB      # the binding, in the folder of the function"],
  },
  "d1 delete": { about: "delete a database; it can be brought back for a while" },
  "d1 undelete": { about: "bring a deleted database back", examples: ["wrkst d1 undelete shop"] },
  "d1 execute": {
    about: "run statements, all of them in one transaction",
    examples: [
      "wrkst d1 execute shop --command 'SELECT * FROM orders LIMIT 5'",
      "wrkst d1 execute shop --file seed.sql",
      "wrkst d1 execute shop --command 'SELECT count(*) AS n FROM orders' --json",
    ],
  },
  "d1 import": {
    about: "run a file of SQL, all of it in one transaction, after a snapshot",
    examples: ["wrkst d1 import shop dump.sql"],
  },
  "d1 export": {
    about: "write a database as SQL",
    examples: ["wrkst d1 export shop --output shop.sql", "wrkst d1 export shop --no-data --table orders"],
  },
  "d1 backup": {
    about: "take a snapshot now; with --output fetch it, a whole SQLite file",
    examples: ["wrkst d1 backup shop", "wrkst d1 backup shop --output shop.sqlite"],
  },
  "d1 snapshots": { about: "list the snapshots of a database, newest first" },
  "d1 restore": {
    about: "go back to a snapshot or a time; the state before is kept as a snapshot",
    examples: ["wrkst d1 restore shop 00000199c2f0a1b2-3f2a91c0", "wrkst d1 restore shop 2h      # two hours ago"],
  },
  "d1 time-travel": { about: "the same as backup and restore, in wrangler's words; it goes as far as the snapshots" },
  "d1 time-travel info": {
    about: "show the bookmark of a time; without one a snapshot of now is taken",
    examples: ["wrkst d1 time-travel info shop --timestamp 2026-11-23T10:00:00Z"],
  },
  "d1 time-travel restore": {
    about: "go back to a bookmark or a time",
    examples: ["wrkst d1 time-travel restore shop --bookmark 00000199c2f0a1b2-3f2a91c0"],
  },
  "d1 share": {
    about: "let another function of the account use a database",
    examples: ["wrkst d1 share shop stock"],
  },
  "d1 unshare": { about: "take that back, at once" },
  "d1 migrations": { about: "changes of the schema that functions bring" },
  "d1 migrations list": { about: "list what was applied, what is pending, and what lies here and is not live" },
  "d1 migrations apply": { about: "apply what the serving version brings and is pending, after a snapshot" },
  "d1 migrations create": {
    about: "write the next numbered file into the folder that the wrangler file names",
    examples: ["wrkst d1 migrations create DB 'add orders'"],
  },
  delete: {
    group: GROUPS.deploy,
    about: "delete a function; it can be restored for a while",
    examples: ["wrkst delete greet --yes"],
  },
  restore: {
    group: GROUPS.deploy,
    about: "bring a deleted function back, on the version that served last",
    examples: ["wrkst restore greet"],
  },
  suspend: {
    group: GROUPS.deploy,
    about: "let nothing of a function move until it is resumed; what serves goes on serving",
    examples: [
      "wrkst suspend greet --reason 'freeze for the fair' --expires 2d",
      "wrkst suspend greet --reason 'leaks orders' --offline      # requests are refused too",
    ],
  },
  resume: {
    group: GROUPS.deploy,
    about: "end a suspension, or the quarantine of a function that froze the runtime",
    examples: ["wrkst resume greet"],
  },
  status: {
    group: GROUPS.look,
    about: "show sources and functions, or one function",
    examples: ["wrkst status", "wrkst status greet", "wrkst status --check      # exit 1 unless everything is ready"],
  },
  why: {
    group: GROUPS.look,
    about: "say why a function or a source is as it is: last event, decision, rule, next step and when",
    examples: ["wrkst why greet", "wrkst why                      # the function here, or else the source"],
  },
  diff: {
    group: GROUPS.look,
    about: "say what a branch, tag or commit would change; exit 0: nothing, 2: something, 1: it would fail",
    examples: ["wrkst diff", "wrkst diff feature/prices --json"],
  },
  sync: {
    group: GROUPS.look,
    about: "fetch a source now and deploy what changed",
    examples: ["wrkst sync", "wrkst sync --wait           # says the old and the new commit, exit 1 when it failed"],
  },
  source: { group: GROUPS.deploy, about: "the repositories that are followed" },
  "source add": {
    about: "follow another repository; it is asked at once",
    examples: [
      "wrkst source add shop https://github.com/you/shop.git --token-stdin < token",
      "wrkst source add blog git@example.com:you/blog.git --ssh-key-file key --known-hosts-file known_hosts",
    ],
  },
  "source list": { about: "list what is followed" },
  "source show": { about: "show how a source is followed, and how it is" },
  "source edit": {
    about: "change how a source is followed; what is not named stays",
    examples: ["wrkst source edit shop --branch live --interval 5m", "wrkst source edit shop --token-stdin < token"],
  },
  "source remove": {
    about: "follow a source no longer; its functions are removed, and can be restored for a while",
    examples: ["wrkst source remove shop", "wrkst source remove shop --keep-functions --yes"],
  },
  "source suspend": {
    about: "let nothing of a source move until it is resumed; what serves goes on serving",
    examples: ["wrkst source suspend shop --reason 'freeze for the fair' --expires 2d"],
  },
  "source resume": { about: "end the suspension of a source" },
  "source sync": { about: "fetch a source now and deploy what changed", examples: ["wrkst source sync shop --wait"] },
  "source webhook": {
    about: "print the address and the secret of a webhook, and where they go",
    examples: ["wrkst source webhook github", "wrkst source webhook gitlab --source shop --rotate"],
  },
  "source report": {
    about: "show the state of its commits at the forge: pending, success or failure",
    examples: [
      "wrkst source report shop --token-stdin < token",
      "wrkst source report blog --provider gitea --api https://git.example.com/api/v1 --token-stdin < token",
    ],
  },
  notify: { group: GROUPS.look, about: "who is told what happens (administrators)" },
  "notify add": {
    about: "tell a channel or a program what happens; its address is asked for, or read from stdin",
    examples: [
      "wrkst notify add ops --kind slack --errors < address",
      "wrkst notify add audit --kind webhook --events '*' < address      # prints the secret to check signatures with",
    ],
  },
  "notify list": { about: "list who is told" },
  "notify show": { about: "show what a receiver hears, and whether it takes it" },
  "notify edit": {
    about: "change what a receiver hears, and where; what is not named stays",
    examples: ["wrkst notify edit ops --events 'function.failed,source.failed' --sources shop"],
  },
  "notify remove": { about: "tell a receiver no more" },
  "notify test": { about: "send one now and print what came back; exit 1 when it was not taken" },
  events: {
    group: GROUPS.look,
    about: "show what happened",
    examples: [
      "wrkst events --function greet --limit 50",
      "wrkst events --follow --source default --kind source --json",
    ],
  },
  tail: {
    group: GROUPS.look,
    about: "show requests, logs and exceptions of a function as they happen",
    examples: [
      "wrkst tail greet",
      "wrkst tail greet --status error --json",
      "wrkst tail greet --method POST --search order",
    ],
  },
  logs: {
    group: GROUPS.look,
    about: "show what a function threw, and what it said while it is observed",
    examples: ["wrkst logs greet", "wrkst logs greet --kind exception --limit 5"],
  },
  open: {
    group: GROUPS.look,
    about: "open a function in the browser; with --commit as it is at a commit, which is built where it never was",
    examples: ["wrkst open greet", "wrkst open greet --commit 3f9c2a1", "wrkst open greet --commit feature/x --print"],
  },
  previews: {
    group: GROUPS.look,
    about: "list what branches and commits have, and where it is to be seen",
    examples: ["wrkst previews", "wrkst previews greet --json", "wrkst previews default      # of a source"],
  },
  "previews remove": {
    about: "remove the preview of a commit that was asked for; those of branches go with the branch",
    examples: ["wrkst previews remove greet 3f9c2a1"],
  },
  login: {
    group: GROUPS.access,
    about: "log in with the browser",
    examples: [
      "wrkst login --url https://functions.example.com",
      "wrkst login --device     # where there is no browser",
    ],
  },
  logout: { group: GROUPS.access, about: "end the login, here and at the server" },
  whoami: { group: GROUPS.access, about: "show who the server takes you for" },
  config: { group: GROUPS.access, about: "which server is meant" },
  "config set-url": { about: "remember the server", examples: ["wrkst config set-url https://functions.example.com"] },
  "config get": { about: "show the server that is meant, and where that is kept" },
  tokens: { group: GROUPS.access, about: "tokens for CI, git push and wrangler" },
  "tokens create": {
    about: "make a token; it is printed once",
    examples: ["wrkst tokens create ci --scopes deploy --expires 90d", "wrkst tokens create laptop --scopes git"],
  },
  "tokens list": { about: "list tokens" },
  "tokens revoke": { about: "revoke a token, at once" },
  users: { group: GROUPS.access, about: "who may do what (administrators)" },
  "users list": { about: "list users" },
  "users set": {
    about: "set the role of a user, or shut the user out",
    examples: ["wrkst users set 3f2a91c0 --role viewer", "wrkst users set 3f2a91c0 --disable"],
  },
  completion: {
    group: GROUPS.access,
    about: "print the completion script of a shell",
    examples: ['eval "$(wrkst completion bash)"', "wrkst completion fish > ~/.config/fish/completions/wrkst.fish"],
  },
} satisfies Record<string, { about: string; group?: string; examples?: string[] }>;
