// The published `cloudflare` package for JavaScript: the whole surface of D1.
// Arguments: the address of the API, an account, an operator's token. Writes what came back as JSON.
import Cloudflare from "cloudflare";
import { createHash } from "node:crypto";

const [baseURL, account_id, apiToken] = process.argv.slice(2);
const databases = new Cloudflare({ baseURL, apiToken }).d1.database;
const told = {};
const at = { account_id };

const { uuid } = await databases.create({ ...at, name: "shop" });
told.listed = [];
for await (const known of databases.list({ ...at, per_page: 10 })) told.listed.push(known.name);
told.fields = Object.keys(await databases.get(uuid, { ...at, fields: ["uuid", "name"] }));
told.mode = (await databases.edit(uuid, { ...at, read_replication: { mode: "auto" } })).read_replication.mode;
await databases.update(uuid, { ...at, read_replication: { mode: "disabled" } });

await databases.query(uuid, { ...at, sql: "CREATE TABLE t (x INTEGER PRIMARY KEY, y)" });
const page = await databases.query(uuid, {
  ...at,
  batch: [{ sql: "INSERT INTO t (y) VALUES (?), (?)", params: ["a", 1] }, { sql: "SELECT * FROM t" }],
});
told.rows = page.result[1].results;
told.raw = (await databases.raw(uuid, { ...at, sql: "SELECT y AS a, y AS a FROM t" })).result[0].results;

const { bookmark } = await databases.timeTravel.getBookmark(uuid, at);
await databases.query(uuid, { ...at, sql: "DELETE FROM t" });
told.restored = (await databases.timeTravel.restore(uuid, { ...at, bookmark })).previous_bookmark > bookmark;

let state = await databases.export(uuid, { ...at, output_format: "polling" });
while (state.status === "active")
  state = await databases.export(uuid, { ...at, output_format: "polling", current_bookmark: state.at_bookmark });
const dump = await (await fetch(state.result.signed_url)).text();
told.dumped = dump.includes('INSERT INTO "t"');

const copy = (await databases.create({ ...at, name: "copy" })).uuid;
const etag = createHash("md5").update(dump).digest("hex");
const { upload_url, filename } = await databases.import(copy, { ...at, action: "init", etag });
told.etag = (await fetch(upload_url, { method: "PUT", body: dump })).headers.get("etag") === `"${etag}"`;
state = await databases.import(copy, { ...at, action: "ingest", etag, filename });
while (state.status === "active")
  state = await databases.import(copy, { ...at, action: "poll", current_bookmark: state.at_bookmark });
told.imported = [state.status, state.result.num_queries];

told.error = await databases.query(uuid, { ...at, sql: "SELECT * FROM nope" }).catch((e) => [e.status, e.errors[0]]);
told.deleted = await databases.delete(uuid, at);
told.missing = await databases.get(uuid, at).catch((error) => error.status);
console.log(JSON.stringify(told));
