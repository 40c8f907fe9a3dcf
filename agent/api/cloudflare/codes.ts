// The numbers of Cloudflare's API for our codes; clients decide by some of them. Pure.

import { behaviourOf, type ErrorCode } from "../../errors.js";

const NUMBERS: Partial<Record<ErrorCode, number>> = {
  ERR_UNAUTHORIZED: 2006,
  ERR_FORBIDDEN: 2007,
  ERR_INVALID: 10001,
  /** A function; clients go on to create it. */
  ERR_NOT_FOUND: 10007,
  ERR_NO_ROUTE: 7003,
  ERR_VERSION_NOT_FOUND: 1003,
  ERR_LOAD: 10021,
  ERR_HEALTH: 10021,
  ERR_BINDING_UNSUPPORTED: 10021,
  ERR_TOO_LARGE: 10027,
  ERR_BINDING_TAKEN: 10053,
  ERR_SECRET_NOT_FOUND: 10056,
  ERR_INHERIT: 10057,
  ERR_NAME_TAKEN: 10040,
  ERR_CONFLICT: 10040,
  ERR_GIT_OWNED: 10040,
  ERR_SUSPENDED: 10040,
  ERR_SPLIT: 10215,
  ERR_SECRETS_CHANGED: 10220,
  ERR_RATE_LIMITED: 10429,
  ERR_UNSUPPORTED: 10501,
  /** Clients go on to create it. */
  ERR_DATABASE_NOT_FOUND: 7404,
  ERR_SQL: 7500,
  ERR_MIGRATION: 7500,
};

/** On routes of databases. */
const NUMBERS_OF_D1: Partial<Record<ErrorCode, number>> = {
  ERR_INVALID: 7400,
  ERR_NOT_FOUND: 7404,
  /** A database of that name is there. */
  ERR_CONFLICT: 7502,
};

/** `path` of the request. */
export function numberOf(code: ErrorCode, path = ""): number {
  const special = path.includes("/d1/database") ? NUMBERS_OF_D1[code] : undefined;
  return special ?? NUMBERS[code] ?? 10000 + behaviourOf(code).status;
}
