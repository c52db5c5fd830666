// D1 as its own page shows it: prepare, bind, first, all. Nobody signed in, no rules.

const ONE = "SELECT id, org_id, title, composer, lyricist, created_at FROM works WHERE id = ?";
const LIST = `
SELECT w.id, w.title, w.composer, e.id AS edition_id, e.name, e.edition_type
  FROM (SELECT id, title, composer FROM works ORDER BY title LIMIT ?) AS w
  LEFT JOIN editions AS e ON e.work_id = w.id
 ORDER BY w.title, w.id`;
const ADD = "INSERT INTO works VALUES (?, ?, ?, ?, NULL, ?) RETURNING *";

function nested(rows) {
  const works = new Map();
  for (const row of rows) {
    let work = works.get(row.id);
    if (work === undefined) {
      work = { id: row.id, title: row.title, composer: row.composer, editions: [] };
      works.set(row.id, work);
    }
    if (row.edition_id !== null) {
      work.editions.push({ id: row.edition_id, name: row.name, edition_type: row.edition_type });
    }
  }
  return [...works.values()];
}

export default {
  async fetch(request, env) {
    const url = new URL(request.url);
    if (request.method === "POST" && url.pathname === "/fill") {
      const statements = await request.json();
      await env.DB.batch(statements.map((sql) => env.DB.prepare(sql)));
      return Response.json({ statements: statements.length }, { status: 201 });
    }
    if (request.method === "POST") {
      const given = await request.json();
      const values = [crypto.randomUUID(), env.ORG_ID, given.title, given.composer ?? null, env.CREATED_AT];
      return Response.json(await env.DB.prepare(ADD).bind(...values).first(), { status: 201 });
    }
    const id = url.pathname.split("/")[2];
    if (id === undefined) {
      const limit = Number(url.searchParams.get("limit") ?? 50);
      const { results } = await env.DB.prepare(LIST).bind(limit).all();
      return Response.json(nested(results));
    }
    const row = await env.DB.prepare(ONE).bind(id).first();
    return row === null ? Response.json({ message: "not found" }, { status: 404 }) : Response.json(row);
  },
};
