// Versions, deployments, aliases, tokens and users as text for people. Pure.

import type { Alias, CloudflareDeployment, Token, User, Version } from "./answers.js";
import { formatPairs, formatTable } from "./table.js";
import { printable, says } from "./wording.js";

export interface Clock {
  now: () => number;
}

export function listVersions(versions: Version[], clock: Clock): string {
  return formatTable(
    ["VERSION", "CREATED", "AUTHOR", "TAG", "MESSAGE"],
    versions.map((version) => ({
      cells: [
        version.id,
        ago(version.metadata?.created_on, clock),
        version.metadata?.author_email || "-",
        version.annotations?.["workers/tag"] ?? "-",
        version.annotations?.["workers/message"] ?? "-",
      ].map(printable),
    })),
  );
}

export function viewVersion({ id, metadata, annotations = {}, resources = {}, url }: Version, clock: Clock): string {
  const { bindings = [], script_runtime: runtime = {} } = resources;
  return [
    `${printable(id)}\n`,
    formatPairs([
      ["created", ago(metadata?.created_on, clock)],
      ["author", metadata?.author_email],
      ["source", metadata?.source],
      ["tag", annotations["workers/tag"]],
      ["message", annotations["workers/message"]],
      ["compatibility", runtime.compatibility_date],
      ["flags", runtime.compatibility_flags?.join(", ") || undefined],
      ["bindings", bindings.map(({ name, type }) => `${name} (${type})`).join(", ") || undefined],
      ["url", url],
    ]),
  ].join("");
}

export function listDeployments(deployments: CloudflareDeployment[], clock: Clock): string {
  return formatTable(
    ["DEPLOYED", "AUTHOR", "VERSIONS", "MESSAGE"],
    deployments.map((deployment) => ({
      cells: [
        ago(deployment.created_on, clock),
        deployment.author_email || "-",
        sharesOf(deployment.versions),
        deployment.annotations?.["workers/message"] || "-",
      ].map(printable),
    })),
  );
}

export function viewDeployment(deployment: CloudflareDeployment, clock: Clock): string {
  return formatPairs([
    ["deployed", ago(deployment.created_on, clock)],
    ["author", deployment.author_email],
    ["message", deployment.annotations?.["workers/message"] || undefined],
    ...deployment.versions.map((share): [string, string] => [`${share.percentage} %`, share.version_id]),
  ]);
}

export function viewSplit(name: string, versions: CloudflareDeployment["versions"]): string {
  return `${printable(name)}: ${printable(sharesOf(versions))}\n`;
}

const sharesOf = (versions: CloudflareDeployment["versions"]) =>
  versions.map(({ version_id, percentage }) => `${version_id.slice(0, 8)} ${percentage} %`).join(", ");

export function listAliases(aliases: Alias[]): string {
  return formatTable(
    ["ALIAS", "VERSION", "HELD", "URL"],
    aliases.map(({ name, version_id, hold, url }) => ({
      cells: [
        name,
        version_id.slice(0, 8),
        hold ? [hold.kind, hold.reason].filter(Boolean).join(": ") : "-",
        url ?? "-",
      ].map(printable),
    })),
  );
}

export function listTokens(tokens: Token[], clock: Clock): string {
  return formatTable(
    ["ID", "NAME", "ACCOUNT", "SCOPES", "LAST USED", "EXPIRES"],
    tokens.map((token) => ({
      cells: [
        token.id,
        token.name,
        token.account,
        token.scopes.join(","),
        ago(token.lastUsed, clock, "never"),
        token.expires?.slice(0, 10) ?? "never",
      ].map(printable),
    })),
  );
}

export function listUsers(users: User[], clock: Clock): string {
  return formatTable(
    ["ID", "NAME", "EMAIL", "ROLE", "ACCOUNT", "LAST LOGIN"],
    users.map((user) => ({
      cells: [
        user.id,
        user.name ?? "-",
        user.email ?? "-",
        user.disabled ? `${user.role ?? "-"} (disabled)` : (user.role ?? "-"),
        user.account,
        ago(user.lastLogin, clock, "never"),
      ].map(printable),
    })),
  );
}

export function ago(time: string | number | null | undefined, { now }: Clock, otherwise = "-"): string {
  return time === null || time === undefined ? otherwise : says.ago(now() - new Date(time).getTime());
}
