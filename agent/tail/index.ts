// The front of what functions say: live tails and kept logs.
export type { MapPlaces } from "./describe.js";
export { parseFilters, type TailFilter } from "./filters.js";
export { createHub, type Hub, type Listener, MAX_LISTENERS } from "./hub.js";
export { type KeptLogs, type LogQuery, openKeptLogs } from "./kept.js";
export { acceptTail, refuse, type Upgrade } from "./socket.js";
export { streamTail } from "./stream.js";
export { createTails, type TailRecord, type Tails } from "./tails.js";
