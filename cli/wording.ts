// Every sentence that the command says, in one place. Pure.

import type { ErrorReport } from "../agent/errors.js";
import type { Suspension } from "../agent/model.js";
import type { Activity } from "./answers.js";

export const VERSION = "0.1.0";

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
  events: { group: GROUPS.look, about: "show what happened", examples: ["wrkst events --function greet --limit 50"] },
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
  open: { group: GROUPS.look, about: "open a function in the browser" },
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

export const TEXT = {
  program: "Workers-style functions on your own server.",
  firstSteps: [
    "wrkst init functions",
    "wrkst login --url https://functions.example.com",
    "wrkst deploy functions/hello",
    "wrkst status",
  ],
  // arguments and options
  function: "name of a function",
  source: "name of a source",
  sourceName: "name for it: lower case letters, digits and -",
  repo: 'address (https or ssh) without credentials, or "embedded"',
  branch: "branch that is followed (default: main)",
  tags: 'follow the newest tag in this range of versions instead, e.g. "^1.2" (not supported yet)',
  path: "folder of the repository that is read",
  interval: 'how often it is asked for news, e.g. "30s", "5m"; "off": only webhooks, pushes and syncs',
  pruneLimit: 'removals of one pass that need no word of yours: "50%", a number, or "never"',
  atomic: "all functions of a revision switch, or none",
  notAtomic: "each function switches by itself",
  previews: 'branches that get previews, as globs separated by commas; "" for none',
  previewSecrets: "previews get the functions' secrets",
  noPreviewSecrets: "previews do without the functions' secrets",
  signersFile: "allowed-signers file: only what these sign is deployed",
  keyringFile: "armored OpenPGP keys: only what these sign is deployed",
  noVerify: "deploy what nobody signed too",
  username: "user name for https",
  pipeToken: "pipe it in: wrkst source add … --token-stdin < file",
  tokenStdin: "read the token for https from stdin",
  sshKeyFile: "file with the private key for ssh",
  knownHostsFile: "file with the host keys for ssh",
  noCredentials: "forget all credentials of it",
  keepFunctions: "its functions stay, and nobody declares them",
  notRemoved: "not removed",
  provider: "github, gitlab, gitea, forgejo, gogs, bitbucket, standard, generic or oidc",
  rotate: "make a new secret; the one before is good no more",
  version: "id of a version or its beginning (8 or more), commit, alias or tag",
  shares: "versions and their percentages, e.g. 1a2b3c4d@90 5e6f7a8b@10",
  rollbackTo: "version to go back to (default: the one that served before)",
  pinTo: "version to hold at (default: the one that serves)",
  alias: "name of an alias",
  folder: "folder of the function",
  initFolder: "folder to write to",
  address: 'address of the server, e.g. "https://functions.example.com"',
  secret: "name of a secret",
  secretFile: 'file with a JSON object or lines KEY=value; "-" is stdin',
  database: "name or id of a database, or its binding where the wrangler file is here",
  databaseName: "name of the database",
  removed: "those that were deleted and can be brought back",
  forceDatabase: "also where functions are bound to it",
  command: "statements to run",
  sqlFile: "file with statements",
  output: "file to write; stdout without it",
  outputBackup: "file to write the snapshot to",
  noData: "leave the rows out",
  noSchema: "leave the tables out",
  table: "only this table; may be repeated",
  restoreTo: 'id of a snapshot, a time, or how long ago, e.g. "2h"',
  bookmark: "id of a snapshot",
  timestamp: "time of RFC 3339, or seconds since 1970",
  shareWith: "function that may use it",
  migration: "what it changes, in few words",
  tokenName: "name that tells you what it is for",
  tokenId: "id of a token",
  userId: "id of a user",
  ref: "branch, tag or commit (default: what is followed, as it is there now)",
  diffSource: "source that is compared",
  whySource: "explain this source",
  shell: "bash, zsh or fish",
  url: "address of the server (default: WRKST_URL, else the one of config set-url, else http://localhost:8080)",
  account: "account that is meant (default: WRKST_ACCOUNT, else your own)",
  tokenFile: "file with the token (default: WRKST_TOKEN, else your login, else the local server's own file)",
  json: "print the server's answer as JSON",
  name: "function that is meant (default: the one whose wrangler file is here)",
  nameDeploy: "deploy under this name (default: the name in the wrangler file)",
  nameInit: "name of the function (default: that of the folder)",
  env: "[env.<name>] of the wrangler file to apply",
  message: "what changed, for people",
  tag: "a name for the version, for people",
  aliasDeploy: "move this alias instead of what serves",
  aliasUpload: "set this alias to the version",
  var: "set a var in place of that of the wrangler file; may be repeated",
  dryRun: "bundle only, send nothing",
  forceDeploy: "also where git declares the function (a pin then), and where secrets have changed since",
  forceRollback: "also where secrets have changed since",
  forceDelete: "also where git declares the function, whose next pass brings it back",
  reason: "why, for people",
  offline: "refuse requests too, with status 503",
  pinAlias: "alias that is held",
  expires: 'span or date until it ends, e.g. "12h", "90d", "2027-01-31"',
  scopes: "what it may do, separated by commas: read, deploy, git, admin",
  role: "admin, deployer or viewer",
  disable: "shut the user out",
  enable: "let the user in again",
  template: "what to begin with",
  device: "log in on another machine, by a code",
  yes: "do not ask",
  check: "exit 1 unless everything is ready",
  wait: "wait until the pass is done, exit 1 when it failed",
  prune: "also remove more functions than GIT_PRUNE_LIMIT allows",
  limit: "how many",
  only: "only those of this function",
  level: "only lines of this level",
  kind: "only exceptions, or only lines of the log",
  tailStatus: "only these outcomes, separated by commas: ok, canceled, error",
  tailMethod: "only these methods, separated by commas",
  tailIp: 'only from these addresses, "self" for your own',
  tailHeader: "only requests with this header",
  tailSearch: "only invocations that say this",
  tailSampling: "share of the invocations, above 0 up to 1",
  // what to do
  seeHelp: "see: wrkst --help",
  noToken:
    'log in with "wrkst login", or set WRKST_TOKEN; the server\'s own token lies in its data/secrets/admin-token',
  noLogin: 'log in with "wrkst login", or set WRKST_TOKEN or --token-file',
  wrongToken: 'log in again with "wrkst login", or take a token of this server',
  loginEnded: 'the login has ended: log in again with "wrkst login"',
  tokenWins: "WRKST_TOKEN is set and goes before a login",
  isItRunning: 'start it with "npm start", or name another with --url, WRKST_URL or "wrkst config set-url"',
  isItWrkst: "compare the address with the one that the server printed at its start",
  removeConfig: "mend or remove the file",
  nameFunction: 'name the function with "--name <function>", or go to its folder',
  startProject: 'name its folder, or begin with "wrkst init"',
  otherFolder: "choose an empty folder",
  sayYes: "say --yes",
  emptySecret: "expected a value, received nothing",
  pipeSecret: "type it, or pipe it in: printf %s value | wrkst secret put KEY",
  badSecrets: "expected names and values",
  secretsForm: "give a JSON object of strings (null deletes), or lines KEY=value",
  notDeleted: "nothing was deleted",
  notRestored: "nothing was restored",
  commandOrFile: "expected either --command or --file",
  bookmarkOrTime: "expected either --bookmark or --timestamp",
  noSnapshot: "there is no snapshot that old",
  declareDatabase: "declare it in the wrangler file: [[d1_databases]]",
  badMigration: "expected letters, digits, spaces and . _ -",
  noDatabase: "no database yet",
  noRemovedDatabase: "no deleted database is kept",
  slowest: "slowest statements of the day:",
  // what is not there
  nothing: "no function yet",
} as const;

/** What to do about a refusal for which the server has no hint. */
export const HINTS: Record<string, string> = {
  ERR_GIT_OWNED: "push to the repository, choose --alias, or say --force, which pins what you deploy",
  ERR_SECRETS_CHANGED: "say --force to serve it without the secrets that were set since",
  ERR_SPLIT: 'end the split first: "wrkst versions deploy <version>"',
  ERR_VERSION_NOT_FOUND: "see: wrkst versions list",
  ERR_FORBIDDEN: "see: wrkst whoami",
  ERR_DATABASE_NOT_FOUND: "see: wrkst d1 list",
};

/** What the browser shows at the end of a login. */
export const PAGE = {
  done: "You are logged in. You can close this page and go back to the terminal.",
  refused: "The login was refused. The terminal says why.",
  foreign: "This answer belongs to another login.",
  nothing: "There is nothing here.",
} as const;

const JSON_TYPE = "application/json";

/** Where address and secret of a webhook go, by provider. */
export const PLACES = {
  github: {
    where: "Settings → Webhooks → Add webhook",
    fields: "Payload URL, Secret, just the push event",
    contentType: JSON_TYPE,
  },
  gitlab: {
    where: "Settings → Webhooks → Add new webhook",
    fields: "URL, Secret token (or, in newer ones, Signing token: whsec_…), push events, tag push events",
    contentType: `${JSON_TYPE} (always)`,
  },
  gitea: {
    where: "Settings → Webhooks → Add Webhook → Gitea",
    fields: "Target URL, POST, Secret, push, creation and deletion",
    contentType: JSON_TYPE,
  },
  forgejo: {
    where: "Settings → Webhooks → Add webhook → Forgejo",
    fields: "Target URL, POST, Secret, push, creation and deletion",
    contentType: JSON_TYPE,
  },
  gogs: {
    where: "Settings → Webhooks → Add a new webhook → Gogs",
    fields: "Payload URL, Secret, just the push event",
    contentType: JSON_TYPE,
  },
  bitbucket: {
    where: "Repository settings → Webhooks → Add webhook (Data Center: Create webhook)",
    fields: "URL, Secret, repository push",
    contentType: `${JSON_TYPE} (always)`,
  },
  standard: {
    where: "the sender's page for endpoints",
    fields: "URL, signing secret (whsec_…)",
    contentType: `${JSON_TYPE}; no body, or {"ref", "commit"}`,
  },
  generic: {
    where: "your script: send X-Signature: sha256=<hex HMAC-SHA256 of the body under the secret>",
    fields: "URL, secret",
    contentType: `${JSON_TYPE}; no body, or {"ref", "commit"}`,
  },
  oidc: {
    where: "your CI job: send Authorization: Bearer <its ID token>; rules for it are in OIDC_CI_RULES",
    fields: "URL; no secret",
    contentType: `${JSON_TYPE}; no body, or {"ref", "commit"}`,
  },
} as const;

export const says = {
  error: (message: string) => `wrkst: error: ${message}\n`,
  warning: (message: string) => `wrkst: warning: ${message}\n`,
  hint: (message: string) => `wrkst: hint: ${message}\n`,
  unreachable: (url: string, reason: string) => `cannot reach "${url}": ${reason}`,
  noApi: (url: string, status: number) => `expected the API of wrkst at "${url}", received something else (${status})`,
  noLogin: (url: string, status: number) => `"${url}" has no login (${status})`,
  badUrl: (url: string) =>
    `expected an address such as "http://localhost:8080", received "${url.replace(/\/\/[^/]*@/, "//…@")}"`,
  noTokenFile: (file: string) => `cannot read the token file "${file}"`,
  unreadable: (file: string, reason: string) => `cannot read "${file}": ${reason}`,
  tokenElsewhere: (url: string) =>
    `WRKST_TOKEN is for WRKST_URL and was not sent to "${url}": use --token-file, or "wrkst login --url ${url}"`,
  openWire: (host: string) => `the token travels unencrypted to "${host}": use https`,
  notReady: (names: string[]) => `not ready: ${names.join(", ")}`,
  stale: (ago: string) => `last successful fetch ${ago}: what serves may be old`,
  runtime: (state: string, isolates: number, restarts: number) =>
    `runtime: ${state}, ${count(isolates, "isolate")}, ${count(restarts, "restart")}`,
  /** `3 functions differ from git: 2 pinned, 1 failed`. */
  drift: (counts: Record<string, number>) => {
    const total = Object.values(counts).reduce((sum, one) => sum + one, 0);
    const parts = Object.entries(counts).map(([reason, number]) => `${number} ${reason}`);
    return `${count(total, "function")} ${total === 1 ? "differs" : "differ"} from git: ${parts.join(", ")}`;
  },
  sourceAdded: (name: string) => `following "${name}"`,
  sourceEdited: (name: string) => `changed "${name}"`,
  confirmRemoval: (name: string) => `remove the source "${name}"?`,
  sourceRemoved: (name: string, kept: boolean) =>
    `removed the source "${name}"; its functions ${kept ? "stay" : 'are removed: "wrkst restore <function>" brings one back'}`,
  badInterval: (raw: string) => `expected a span such as "30s" or "5m", or "off", received "${raw}".`,
  badPruneLimit: (raw: string) => `expected a share such as "50%", a number, or "never", received "${raw}".`,
  webhookMade: (rotated: boolean) =>
    rotated ? "made a new secret; the one before is good no more\n" : "made a secret for this webhook\n",
  accepted: (source: string, job: string) => `source "${source}": sync asked for, job ${job}`,
  passed: (source: string, result: string, from: string, to: string, milliseconds: number) =>
    result === "switched" && from !== to
      ? `source "${source}": ${from} → ${to} in ${milliseconds} ms`
      : `source "${source}": ${result} at ${to}`,
  signedBy: (name: string, kind: "ssh" | "openpgp", fingerprint: string) =>
    `signed by ${name} (${kind === "ssh" ? "SSH" : "OpenPGP"} key ${fingerprint})`,
  noFolder: (folder: string) => `there is no folder "${folder}"`,
  noProject: (folder: string) => `no wrangler file in "${folder}" or above it: expected wrangler.toml, .json or .jsonc`,
  fileThere: (file: string) => `"${file}" is already there`,
  written: (file: string) => `wrote ${file}`,
  nextOfRepository: (folder: string, url: string) =>
    `\nnext:\n  ${folder === "." ? "" : `cd ${folder} && `}git init -b main && git add . && git commit -m "Begin"\n` +
    `  git remote add wrkst ${url}/git/functions.git\n  git push wrkst main      # user admin, a token as password\n` +
    `\na server that has its examples still takes that push with --force, which replaces them; one that has functions\n` +
    `already refuses it: clone its repository and go on there:\n  git clone ${url}/git/functions.git\n`,
  nextOfFunction: (folder: string) => `\nnext:\n  wrkst deploy ${folder}      # or commit it and push\n`,
  bound: (binding: string, database: string, problem?: string) =>
    `${binding} → ${database}${problem === undefined ? "" : `: ${problem}`}`,
  bundled: (name: string, modules: number, bytes: number) =>
    `bundled ${name}: ${count(modules, "module")}, ${size(bytes)}`,
  uploaded: (version: string, startup: number | undefined) =>
    `checked ${version.slice(0, 8)}${startup === undefined ? "" : `: starts in ${startup} ms`}`,
  createdDatabase: (name: string, id: string) => `created empty database "${name}" (id ${id})`,
  deployed: (made: {
    name: string;
    version: string | null;
    size: number;
    startup: number | null;
    url: string | null;
  }) =>
    [
      ["function", made.name],
      ["version", made.version],
      ["size", size(made.size)],
      ["start-up", made.startup === null ? null : `${made.startup} ms`],
      ["url", made.url],
    ]
      .filter(([, value]) => value !== null)
      .map(([name, value]) => `${String(name).padEnd(8)}  ${printable(String(value))}\n`)
      .join(""),
  neverDeployed: (name: string) => `function "${name}" was never deployed`,
  rolledBack: (name: string, from: string | null, to: string | null) =>
    `${printable(name)}: ${from?.slice(0, 8) ?? "-"} → ${to?.slice(0, 8) ?? "-"}\n`,
  aliasSet: (name: string, alias: string, version: string, url: string | undefined) =>
    `${printable(name)}: ${alias} → ${version.slice(0, 8)}${url === undefined ? "" : `  ${printable(url)}`}\n`,
  aliasDeleted: (name: string, alias: string) => `deleted the alias "${alias}" of "${name}"`,
  pinned: (name: string, alias: string, version: string) =>
    `${printable(name)}: ${alias} is held at ${version.slice(0, 8)}\n`,
  unpinned: (name: string, alias: string) => `released "${alias}" of "${name}"`,
  suspended: (name: string, { offline, expiresAt }: { offline?: boolean; expiresAt?: number }) => {
    const what = offline ? "is suspended and refuses requests" : "is suspended, what serves goes on serving";
    const until = expiresAt === undefined ? "" : `, until ${new Date(expiresAt).toISOString()}`;
    return `${printable(name)} ${what}${until}\n`;
  },
  suspendedBy: ({ author, reason, offline, expiresAt }: Suspension) => {
    const until = expiresAt === undefined ? "" : `, until ${new Date(expiresAt).toISOString()}`;
    const why = reason === undefined ? "" : `: ${reason}`;
    return `${offline ? "refuses requests, suspended" : "suspended"} by ${author}${until}${why}`;
  },
  wouldFail: (names: string[]) => `would fail: ${names.map(printable).join(", ")}`,
  wouldChange: (change: string, name: string) => `${change} ${printable(name)}`,
  compared: (from: string, to: string, changing: number, same: number) =>
    changing === 0 ? `${from} → ${to}: nothing would change` : `${from} → ${to}: ${changing} differ, ${same} unchanged`,
  heldBack: ({ kind, author, reason }: { kind: string; author: string; reason?: string }) =>
    `held by a ${kind} of ${author}${reason === undefined ? "" : `: ${reason}`}`,
  askSecret: (key: string, name: string) => `value of ${key} for "${name}" (not shown): `,
  secretSet: (name: string, keys: string[]) => `set ${keys.join(", ")} of "${name}"`,
  secretsChanged: (name: string, set: string[], deleted: string[]) => {
    const parts = [set.length ? `set ${set.join(", ")}` : "", deleted.length ? `deleted ${deleted.join(", ")}` : ""];
    return `${parts.filter(Boolean).join(", ")} of "${name}"`;
  },
  secretDeleted: (name: string, key: string) => `deleted ${key} of "${name}"`,
  tokenMade: (id: string, account: string) =>
    `token ${id} for account "${account}"; this is the only time it is shown:`,
  tokenRevoked: (id: string) => `revoked ${id}`,
  confirmDelete: (name: string) => `delete the function "${name}"?`,
  nobodyToAsk: (question: string) => `nobody to ask: ${question}`,
  deleted: (name: string) => `deleted "${name}"; for a while "wrkst restore ${name}" brings it back`,
  nowServes: ({ name, state, version, url }: { name: string; state: string; version: string | null; url: string }) =>
    `${printable(name)}: ${state}${version === null ? "" : `, ${version.slice(0, 8)}`}  ${printable(url)}\n`,
  databaseMade: (name: string, id: string) => `${printable(name)}  ${id}\n`,
  confirmDatabase: (name: string) => `delete the database "${name}"?`,
  databaseDeleted: (name: string) => `deleted "${name}"; "wrkst d1 undelete ${name}" brings it back`,
  databaseBack: (name: string) => `"${name}" is back`,
  shared: (name: string, other: string) => `"${other}" may use "${name}"`,
  unshared: (name: string, other: string) => `"${other}" may not use "${name}" any more`,
  sending: (file: string, bytes: number) => `sending ${file}, ${size(bytes)}`,
  sent: (bytes: number, of: number) => `  ${Math.floor((100 * bytes) / of)} %, ${size(bytes)}`,
  imported: (queries: number, snapshot: string) =>
    `ran ${count(queries, "statement")}; the state before is snapshot ${snapshot}\n`,
  wrote: (file: string, bytes: number) => `wrote ${file}, ${size(bytes)}`,
  fetched: (bytes: number) => `  ${size(bytes)}`,
  ran: (meta: { changes: number; rows_read: number; rows_written: number; duration: number }, rows: number | null) =>
    `${rows === null ? `${count(meta.changes, "row")} changed` : count(rows, "row")}, ${meta.duration.toFixed(1)} ms, ` +
    `${meta.rows_read} read, ${meta.rows_written} written\n`,
  snapshotTaken: (name: string, id: string) => `${printable(name)}: snapshot ${id}\n`,
  confirmRestore: (name: string, to: string) => `let "${name}" be as it was at ${to}? what is there now is kept`,
  seeSnapshots: (name: string) => `see: wrkst d1 snapshots ${name}`,
  /** `undone`: migrations that the state before had, and this one has not. */
  restored: (name: string, at: string, before: string, undone: string[]) =>
    `${printable(name)} is as it was at ${at}; the state before is snapshot ${before}\n` +
    (undone.length
      ? `without ${undone.map(printable).join(", ")}: "wrkst d1 migrations apply ${printable(name)}" applies what serves\n`
      : ""),
  bookmark: (name: string, id: string) => `${id}\n\nto go back to it:\n  wrkst d1 restore ${printable(name)} ${id}\n`,
  badPoint: (raw: string) =>
    `expected the id of a snapshot, a time such as "2026-11-23T10:00:00Z" or "2h", received "${raw}"`,
  badTime: (raw: string) => `expected a time such as "2026-11-23T10:00:00Z" or "2h", received "${raw}"`,
  notDeclared: (name: string) => `the wrangler file here declares no database "${name}"`,
  migrated: (name: string, applied: string[], snapshot: string | null) =>
    applied.length === 0
      ? `${printable(name)}: nothing is pending\n`
      : `${applied.map((one) => `applied ${printable(one)}\n`).join("")}the state before is snapshot ${snapshot}\n`,
  activity: (day: Pick<Activity, "queries" | "writes" | "errors" | "rowsRead" | "rowsWritten" | "milliseconds">) =>
    `${count(day.queries, "query", "queries")} (${count(day.writes, "write")}), ${count(day.errors, "error")}, ` +
    `${count(day.rowsRead, "row")} read, ${count(day.rowsWritten, "row")} written, ${day.milliseconds} ms`,
  latency: ({ p50, p99 }: Pick<Activity, "p50" | "p99">) => {
    const upTo = (milliseconds: number | null) => (milliseconds === null ? "longer" : `up to ${milliseconds} ms`);
    return `half took ${upTo(p50)}, 99 of 100 ${upTo(p99)}`;
  },
  migrationsOf: (applied: number, pending: string[]) =>
    `${applied} applied${pending.length ? `, pending: ${pending.join(", ")}` : ""}`,
  owner: "owner",
  slow: (one: { milliseconds: number; rowsRead: number; sql: string }) =>
    `  ${one.milliseconds} ms, ${count(one.rowsRead, "row")} read: ${printable(one.sql)}\n`,
  listening: (name: string) => `listening to "${name}", Ctrl-C ends it`,
  tailEnded: (name: string) => `the server ended the tail of "${name}"`,
  urlSet: (url: string) => `server is ${url}`,
  openThis: (page: string) => `open this page to log in:\n\n  ${page}\n\n`,
  noBrowser: () => "no browser here: open the address above yourself\n",
  typeCode: (page: string, code: string) => `open ${page} on any machine and type this code:\n\n  ${code}\n\n`,
  orOpen: (page: string) => `or open ${page}\n`,
  loginRefused: (reason: string) => `the login failed: ${reason}`,
  loggedIn: (name: string, url: string, account: string) =>
    `logged in to ${url} as ${printable(name)}, account ${printable(account)}\n`,
  loggedOut: (url: string) => `logged out of ${url}`,
  notLoggedIn: (url: string) => `not logged in to ${url}`,
  ago: (milliseconds: number) => `${span(milliseconds)} ago`,
  ahead: (milliseconds: number) => `in ${span(milliseconds)}`,
};

function span(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}

/** What stands below a help text. */
export function examples(lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  ${line}\n`).join("")}`;
}

/** Bytes for people. */
export function size(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  return bytes < 1024 ** 2 ? `${(bytes / 1024).toFixed(1)} KiB` : `${(bytes / 1024 ** 2).toFixed(1)} MiB`;
}

function count(number: number, word: string, several = `${word}s`): string {
  return `${number} ${number === 1 ? word : several}`;
}

/** `file:line:column: message`, as far as known. */
export function describeError({ message, position }: Pick<ErrorReport, "message" | "position">): string {
  if (!position) return message;
  const { file, line, column } = position;
  const place = [file, line, line === undefined ? undefined : column].filter((part) => part !== undefined);
  return `${place.join(":")}: ${message}`;
}

/** A value as JSON without what a terminal would obey: such characters stand in strings only, where they can be escaped. */
export function formatJson(value: unknown, indent?: number): string {
  const escaped = (one: string) => `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return JSON.stringify(value, null, indent).replace(/[\x7f-\x9f\u202a-\u202e\u2066-\u2069]/g, escaped);
}

/** Text from elsewhere, on one line and without what a terminal would obey. */
export function printable(text: string): string {
  return text.replace(/\s*[\r\n]+\s*/g, " ").replace(/[\0-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/g, "");
}
