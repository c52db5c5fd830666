// One insertion by the published `cloudflare` package, which repeats by itself what it takes for a passing trouble.
// Arguments: the address of the API, an account, a token, a database, an Idempotency-Key or "". Writes how it ended.
import Cloudflare from "cloudflare";

const [baseURL, account_id, apiToken, database, key] = process.argv.slice(2);
const headers = key ? { "Idempotency-Key": key } : {};
const databases = new Cloudflare({ baseURL, apiToken }).d1.database;
const sent = databases.query(database, { account_id, sql: "INSERT INTO t (x) VALUES ('js') RETURNING n" }, { headers });
const told = await sent.then(
  (page) => ({ rows: page.result[0].results }),
  (error) => ({ status: error.status ?? 0, again: error.headers?.get("x-should-retry") ?? "" }),
);
console.log(JSON.stringify(told));
