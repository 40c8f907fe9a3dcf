// JSON in columns: null stands for undefined. Pure.

export function toJson(value: unknown): string | null {
  return value === undefined ? null : JSON.stringify(value);
}

/** The column's value, which this program wrote itself. */
export function fromJson<T>(text: string): T {
  return JSON.parse(text) as T;
}

/** `{ [key]: value }` of the column, or nothing where it is null: for optional properties. */
export function optional<K extends string, T>(key: K, text: string | null): { [P in K]?: T } {
  return (text === null ? {} : { [key]: JSON.parse(text) }) as { [P in K]?: T };
}
