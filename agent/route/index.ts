// The front of the route stage: which host serves which version, and the table on disk.

export { previewsOf, uncopiedOf } from "./previews.js";
export { type HostRules, refusalOfHost, routeHosts } from "./route-hosts.js";
export { buildRouteTable, diffRouteTables, type RouteOptions, reachableUntil, specOfNext } from "./route-table.js";
export { servingDatabases } from "./serving-databases.js";
export { readRouteTable, writeRouteTable } from "./table-file.js";
