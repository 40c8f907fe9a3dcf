// Adds to package-lock.json the optional packages of other platforms that npm left out because the registry in use did
// not have them: without their entries "npm ci" refuses the lock, on every platform. Prints what it added.
import { readFileSync, writeFileSync } from "node:fs";

const OS = { android: "android", darwin: "darwin", linux: "linux", win32: "win32", windows: "win32" };
const CPU = { 64: "x64", x64: "x64", arm64: "arm64", ia32: "ia32" };

/** Place of `name` as seen from the package at `path`, or undefined. */
function placeOf(packages, path, name) {
  for (let at = path; ; at = at.slice(0, Math.max(0, at.lastIndexOf("/node_modules/")))) {
    const place = `${at ? `${at}/` : ""}node_modules/${name}`;
    if (packages[place]) return place;
    if (!at) return undefined;
    if (!at.includes("/node_modules/")) at = "";
  }
}

/** Optional dependencies that the lock names and does not hold in that version: `[{ path, name, version, place }]`. */
export function gapsOf(packages) {
  return Object.entries(packages).flatMap(([path, { optionalDependencies = {} }]) =>
    Object.entries(optionalDependencies).flatMap(([name, version]) => {
      const place = placeOf(packages, path, name);
      // Ranges that another version satisfies are npm's business; platform packages are named exactly.
      const isFilled = place && (!/^\d/.test(version) || packages[place].version === version);
      return isFilled
        ? []
        : [{ path, name, version, place: place ? `${path}/node_modules/${name}` : `node_modules/${name}` }];
    }),
  );
}

/** What npm itself would write, without the digest, which only a registry that has the package can tell. */
function entryFor({ path, name, version }, packages) {
  const { dev, license, engines } = packages[path];
  const words = name.split(/[/-]/);
  const os = words.map((word) => OS[word]).find(Boolean);
  const cpu = words.map((word) => CPU[word]).find(Boolean);
  if (!os || !cpu || !/^\d+\.\d+\.\d+$/.test(version))
    throw new Error(`no platform can be read from "${name}@${version}"`);
  const libc = words.includes("musl") ? { libc: ["musl"] } : {};
  return { version, cpu: [cpu], ...(dev && { dev }), ...libc, license, optional: true, os: [os], engines };
}

function complete(file) {
  const lock = JSON.parse(readFileSync(file, "utf8"));
  const gaps = gapsOf(lock.packages);
  for (const gap of gaps) lock.packages[gap.place] = entryFor(gap, lock.packages);
  const [root, ...rest] = Object.entries(lock.packages);
  lock.packages = Object.fromEntries([root, ...rest.sort(([a], [b]) => a.localeCompare(b, "en"))]);
  if (gaps.length) writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
  for (const { place, version } of gaps) console.log(`${place} ${version}`);
}

if (import.meta.url === `file://${process.argv[1]}`) complete("package-lock.json");
