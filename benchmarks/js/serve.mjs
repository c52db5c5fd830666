// `node serve.mjs PORT FOLDER`: the worker on D1's local engine, its database on disk; says `ready` and waits.

import { Miniflare } from "miniflare";

const [port, folder] = process.argv.slice(2);
const server = new Miniflare({
  host: "127.0.0.1",
  port: Number(port),
  modules: true,
  scriptPath: new URL("worker.js", import.meta.url).pathname,
  compatibilityDate: "2026-04-01",
  bindings: { ORG_ID: "0198c6a0-0000-7000-8000-000000000000", CREATED_AT: "2026-05-01T19:00:00.000Z" },
  d1Databases: { DB: "benchmark" },
  d1Persist: folder,
});
await server.ready;
console.log("ready");
// Whoever started this closes its standard input to end it.
process.stdin.resume();
process.stdin.on("end", async () => {
  await server.dispose();
  process.exit(0);
});
