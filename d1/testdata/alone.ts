// Code that is compiled with the types of wrkst-d1 and no others.

import { type D1Database, type D1PreparedStatement, type D1Result, getD1 } from "wrkst-d1";

interface Guest {
  id: number;
  name: string;
}

export async function guests(env: object): Promise<string[]> {
  const db: D1Database = getD1(env);
  const statement: D1PreparedStatement = db.prepare("SELECT id, name FROM guests WHERE id > ?").bind(0);
  const { results, meta }: D1Result<Guest> = await statement.all<Guest>();
  const [columns, ...rows] = await statement.raw<[number, string]>({ columnNames: true });
  const first: Guest | null = await db.withSession("first-primary").prepare("SELECT 1").first<Guest>();
  const changes: number = meta.changes;
  return [...columns, ...rows.map(([, name]) => name), ...results.map(({ name }) => name), `${first?.name} ${changes}`];
}
