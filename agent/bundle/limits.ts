// How much one build may take. Pure.

export interface BundleLimits {
  /** Wall time of one build. */
  milliseconds: number;
  /** Resident memory of the build's processes together. */
  memoryBytes: number;
  /** Bytes of all modules of a bundle together. */
  outputBytes: number;
  /** Modules of a bundle. */
  modules: number;
}

export const DEFAULT_LIMITS: BundleLimits = {
  milliseconds: 30_000,
  memoryBytes: 1024 ** 3,
  outputBytes: 64 * 1024 ** 2,
  modules: 1000,
};

/** Bytes as people say them: `64 MiB`, `1.5 MiB`, `300 B`. */
export function formatBytes(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB"];
  const power = Math.min(Math.floor(Math.log2(Math.max(bytes, 1)) / 10), units.length - 1);
  return `${Number((bytes / 1024 ** power).toFixed(1))} ${units[power]}`;
}
