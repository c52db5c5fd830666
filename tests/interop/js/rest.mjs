// Every method of @supabase/postgrest-js and of the client of @supabase/supabase-js.
// Arguments: the address of a vault, the token of a member, the rows to begin with. Writes what came back as JSON.
import postgrest from "@supabase/postgrest-js";
import { SupabaseClient, createClient } from "@supabase/supabase-js";
import { building, methodsOf, ownOf, report, watched } from "./watched.mjs";

const [url, key, rows] = process.argv.slice(2);
const papers = JSON.parse(rows);
// What is exported: a class more is one that no call covers.
const kinds = Object.fromEntries(Object.entries(postgrest).filter(([, kind]) => kind.prototype));
const rest = building(new kinds.PostgrestClient(`${url}/rest/v1`, { headers: { Authorization: `Bearer ${key}` } }), kinds);
const guest = building(new kinds.PostgrestClient(`${url}/rest/v1`, { headers: { apikey: "sb_publishable_none" } }), kinds);
const told = {};
const done = (answer) => {
  if (answer.error) throw new Error(`${answer.status} ${JSON.stringify(answer.error)}`);
  return answer.data;
};
const refused = ({ status, error }) => [status, error?.code];
const table = () => rest.from("papers");

// Writing.
told.inserted = done(await rest.from("authors").insert({ id: 1, name: "Bruckner" }).select());
told.minimal = await table().insert(papers, { count: "exact" });
told.defaults = done(await table().insert([{ id: 4, title: "Ubi" }, { id: 5, title: "Ecce", pages: 9 }], { defaultToNull: false }).select("id, title, pages, kind").order("id"));
told.merged = done(await table().upsert({ id: 4, title: "Ubi caritas", pages: 3 }).select("id, title, pages").single());
told.ignored = done(await table().upsert({ id: 99, title: "Ubi caritas" }, { onConflict: "title", ignoreDuplicates: true }).select());
told.conflict = refused(await table().insert({ id: 9, title: "Ecce" }));
told.updated = await table().update({ pages: 10 }, { count: "exact" }).eq("id", 5).maxAffected(1);
told.limited = refused(await table().update({ pages: 1 }).gt("id", 0).maxAffected(1));
told.everything = refused(await table().delete());
told.tried = done(await table().delete().eq("id", 5).rollback().select("id"));
told.deleted = done(await table().delete({ count: "exact" }).in("id", [4, 5]).select("id").order("id"));

// Filters: which of the three papers they find.
const found = async (build) => done(await build(table().select("id").order("id"))).map((row) => row.id);
told.filters = {
  eq: await found((asked) => asked.eq("title", "Ave Maria")),
  neq: await found((asked) => asked.neq("id", 1)),
  gt: await found((asked) => asked.gt("pages", 4)),
  gte: await found((asked) => asked.gte("pages", 4)),
  lt: await found((asked) => asked.lt("pages", 8)),
  lte: await found((asked) => asked.lte("pages", 8)),
  like: await found((asked) => asked.like("title", "%us%")),
  likeAllOf: await found((asked) => asked.likeAllOf("title", ["%us%", "%L%"])),
  likeAnyOf: await found((asked) => asked.likeAnyOf("title", ["Ave%", "Os%"])),
  ilike: await found((asked) => asked.ilike("title", "%MARIA")),
  ilikeAllOf: await found((asked) => asked.ilikeAllOf("title", ["%A%", "%VE%"])),
  ilikeAnyOf: await found((asked) => asked.ilikeAnyOf("title", ["%AVE%", "%OS%"])),
  regexMatch: await found((asked) => asked.regexMatch("title", "^Os")),
  regexIMatch: await found((asked) => asked.regexIMatch("title", "ISTE$")),
  is: await found((asked) => asked.is("pages", null)),
  isDistinct: await found((asked) => asked.isDistinct("pages", 4)),
  in: await found((asked) => asked.in("title", ["Os justi", "Locus iste", "a,b"])),
  notIn: await found((asked) => asked.notIn("id", [1, 2])),
  contains: await found((asked) => asked.contains("tags", ["a", "b"])),
  containsObject: await found((asked) => asked.contains("data", { n: 2 })),
  containsRange: await found((asked) => asked.contains("span", "[2,3]")),
  containedBy: await found((asked) => asked.containedBy("tags", ["b", "c"])),
  rangeGt: await found((asked) => asked.rangeGt("span", "[1,9)")),
  rangeGte: await found((asked) => asked.rangeGte("span", "[5,6]")),
  rangeLt: await found((asked) => asked.rangeLt("span", "[20,30)")),
  rangeLte: await found((asked) => asked.rangeLte("span", "[1,9)")),
  rangeAdjacent: await found((asked) => asked.rangeAdjacent("span", "[9,20)")),
  overlaps: await found((asked) => asked.overlaps("tags", ["a", "x"])),
  overlapsRange: await found((asked) => asked.overlaps("span", "[4,6)")),
  textSearch: await found((asked) => asked.textSearch("title", "ave & maria")),
  textPlain: await found((asked) => asked.textSearch("title", "iste locus", { type: "plain", config: "english" })),
  textPhrase: await found((asked) => asked.textSearch("title", "os justi", { type: "phrase" })),
  textWeb: await found((asked) => asked.textSearch("title", "maria or justi", { type: "websearch" })),
  match: await found((asked) => asked.match({ id: 2, title: "Locus iste" })),
  not: await found((asked) => asked.not("pages", "is", null)),
  or: await found((asked) => asked.or("id.eq.1,pages.is.null")),
  filter: await found((asked) => asked.filter("title", "in", '("Ave Maria","x")')),
};

// What comes back, and how.
told.embedded = done(await table().select("title, authors(name)").eq("id", 1).single());
told.ordered = done(await table().select("id").order("pages", { ascending: false, nullsFirst: false }).limit(2));
told.range = await table().select("id", { count: "exact" }).order("id").range(1, 2);
told.head = await table().select("*", { count: "estimated", head: true });
told.many = refused(await table().select().single());
told.none = done(await table().select().eq("id", 77).maybeSingle());
told.one = done(await table().select("id").eq("id", 2).maybeSingle());
told.csv = done(await table().select("id, title").order("id").csv());
told.geojson = refused(await table().select().geojson());
told.plan = done(await table().select().eq("id", 1).explain({ format: "json", analyze: true }));
told.planText = typeof done(await table().select().eq("id", 1).explain());
told.stripped = done(await table().select("id, pages").eq("id", 3).stripNulls());
told.typed = done(await table().select("id").eq("id", 1).returns().overrideTypes().throwOnError());
told.header = done(await table().select("id").setHeader("Accept-Language", "et").retry(false).limit(1).order("id"));
const stop = new AbortController();
stop.abort();
told.aborted = (await table().select().abortSignal(stop.signal)).error.message;
told.going = done(await table().select("id").eq("id", 1).abortSignal(new AbortController().signal));
told.thrown = await table().select("nope").throwOnError().then(
  () => "nothing",
  (error) => watchedError(error).toJSON(),
);
told.guest = refused(await guest.from("papers").insert({ title: "x" }));
told.schema = [done(await rest.schema("public").from("papers").select("id").eq("id", 1)), refused(await rest.schema("other").from("papers").select())];

// Verbs.
told.counted = done(await rest.rpc("papers.count"));
told.echoed = done(await rest.rpc("papers.echo", { names: ["a", "b"], size: 2 }, { get: true, count: "exact" }));
told.filtered = done(await rest.rpc("papers.echo", { names: ["a", "b"], size: 2 }).select("size").eq("size", 2));
told.echoHead = (await rest.rpc("papers.echo", { size: 2 }, { head: true, count: "exact" })).count;
told.writesByGet = refused(await rest.rpc("papers.count", {}, { get: true }));

// The client itself. It insists on a transport for a service that is not here.
class Nowhere {
  constructor(address) {
    told.realtime = new URL(address).pathname;
  }
  close() {}
}
const options = { auth: { persistSession: false, autoRefreshToken: false }, realtime: { transport: Nowhere } };
const bare = createClient(url, key, options);
const client = building(bare, { ...kinds, SupabaseClient });
told.client = [
  done(await client.from("papers").select("id").eq("id", 1)),
  done(await client.schema("public").from("papers").select("id").eq("id", 2)),
  done(await client.rpc("papers.count")),
];
const channel = client.channel("papers");
told.channels = [client.getChannels().length];
channel.subscribe();
await client.removeChannel(channel);
await client.removeAllChannels();
told.channels.push(client.getChannels().length);
bare.realtime.disconnect();
told.socket = (await fetch(`${url}/realtime/v1/websocket`)).status;
const functions = watched(bare.functions);
functions.setAuth(key);
told.invoked = (await functions.invoke("hello", { body: {} })).error.context.status;

function watchedError(error) {
  return building(error, kinds);
}
const own = ownOf("@supabase/postgrest-js/dist/index.d.mts");
const exported = Object.entries(kinds).flatMap(([label, kind]) => [...methodsOf(kind.prototype, own)].map((name) => `${label}.${name}`));
told.postgrest = report("@supabase/postgrest-js", exported);
told.supabase = report("@supabase/supabase-js", [...methodsOf(SupabaseClient.prototype)].map((name) => `SupabaseClient.${name}`));
for (const name of ["channel", "getChannels", "removeChannel", "removeAllChannels"]) told.supabase.outcomes[`SupabaseClient.${name}`] = String(told.socket);
told.functions = [...methodsOf(Object.getPrototypeOf(bare.functions))];
// The Realtime client leaves timers behind.
process.stdout.write(JSON.stringify(told), () => process.exit(0));
