// Runs statements on D1's own engine (workerd, through miniflare) and writes what each gave: rows or a message.
import { readFileSync } from "node:fs";
import { Miniflare } from "miniflare";

const statements = JSON.parse(readFileSync(process.argv[2], "utf8"));
const engine = new Miniflare({
  modules: true,
  script: "export default { fetch() { return new Response('') } }",
  compatibilityDate: "2026-01-01",
  d1Databases: ["DB"],
});
const database = await engine.getD1Database("DB");
const told = [];
for (const [sql, values] of statements) {
  const bound = values.map((value) => (Array.isArray(value) ? Uint8Array.from(value) : value));
  try {
    const prepared = database.prepare(sql);
    const rows = await (bound.length ? prepared.bind(...bound) : prepared).raw({ columnNames: true });
    told.push({ columns: rows[0] ?? [], rows: rows.slice(1) });
  } catch (error) {
    told.push({ message: error.message.replace(/^D1_ERROR: /, "") });
  }
}
await engine.dispose();
process.stdout.write(JSON.stringify(told));
