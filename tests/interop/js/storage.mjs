// Every method of @supabase/storage-js, and an upload by tus-js-client that is cut off and resumed.
// Arguments: the address of a vault, an operator's token. Writes what came back as JSON.
import { createClient } from "@supabase/supabase-js";
import { Buffer } from "node:buffer";
import * as tus from "tus-js-client";
import { codeOf, methodsOf, ownOf, report, watched } from "./watched.mjs";

const [url, key] = process.argv.slice(2);
// The client insists on a transport for a service that is not used.
const settings = { auth: { persistSession: false, autoRefreshToken: false }, realtime: { transport: class {} } };
const client = createClient(url, key, settings);
const pdf = Buffer.concat([Buffer.from("%PDF-1.7\n"), Buffer.alloc(300_000, "music ")]);
const told = {};
const buckets = watched(client.storage);
const files = watched(buckets.from("notes"), "from().");
const done = ({ data, error }) => {
  if (error) throw new Error(`${error.status} ${error.message}`);
  return data;
};
const error = ({ error }) => [String(error?.statusCode ?? error?.status), error?.name];
const text = async (blob) => Buffer.from(await blob.arrayBuffer()).equals(pdf);

done(await buckets.createBucket("notes", { public: false, fileSizeLimit: "1MB", allowedMimeTypes: ["application/pdf", "text/*"] }));
told.buckets = done(await buckets.listBuckets()).map((bucket) => bucket.id);
done(await buckets.updateBucket("notes", { public: true }));
told.bucket = done(await buckets.getBucket("notes"));

// The client itself lets `#` and `?` end a path.
const name = "folder/Püha öö 1.pdf";
told.uploaded = done(await files.upload(name, pdf, { contentType: "application/pdf", metadata: { by: "me" } })).fullPath;
done(await files.upload("blob.pdf", new Blob([pdf], { type: "application/pdf" }), { cacheControl: "60" }));
told.taken = error(await files.upload("blob.pdf", pdf, { contentType: "application/pdf" }));
done(await files.upload("blob.pdf", pdf, { contentType: "application/pdf", upsert: true }));
done(await files.update("blob.pdf", pdf, { contentType: "application/pdf" }));
told.wrong = error(await files.upload("a.png", pdf, { contentType: "image/png" }));
told.long = error(await files.upload("long.txt", Buffer.alloc(1 << 21, "x"), { contentType: "text/plain" }));
told.same = await text(done(await files.download(name)));
const stream = done(await files.download(name).asStream());
let size = 0;
for await (const part of stream) size += part.length;
told.streamed = size === pdf.length;
told.info = done(await files.info(name));
told.exists = [(await files.exists(name)).data, (await files.exists("no.pdf")).data];
told.list = done(await files.list("folder")).map((found) => found.name);
told.page = done(await files.listV2({ with_delimiter: true }));
const one = done(await files.createSignedUrl(name, 60, { download: "mine.pdf" })).signedUrl;
told.link = await text(await (await fetch(one)).blob());
told.links = await Promise.all(
  done(await files.createSignedUrls([name, "no.pdf"], 60)).map(async ({ signedUrl, error }) =>
    signedUrl ? await text(await (await fetch(signedUrl)).blob()) : Boolean(error),
  ),
);
told.public = await text(await (await fetch(files.getPublicUrl(name).data.publicUrl)).blob());
const upload = done(await files.createSignedUploadUrl("signed.pdf"));
const guest = watched(createClient(url, "sb_publishable_none", settings).storage.from("notes"), "from().");
told.signed = done(await guest.uploadToSignedUrl("signed.pdf", upload.token, pdf, { contentType: "application/pdf" })).fullPath;
done(await files.move("signed.pdf", "moved.pdf"));
told.copied = done(await files.copy("moved.pdf", "copied.pdf")).path;
told.missing = error(await files.download("signed.pdf"));
told.purge = error(await files.purgeCache(name));
told.purgeBucket = error(await buckets.purgeBucketCache("notes"));
told.thrown = await watched(client.storage.from("notes"), "from().").throwOnError().download("no.pdf").then(
  () => "nothing",
  ({ name }) => name,
);
told.headers = done(await watched(client.storage.from("notes"), "from().").setHeader("accept-language", "et").exists("blob.pdf"));
told.encoded = files.toBase64("ö");
const throwing = watched(createClient(url, key, settings).storage);
throwing.setHeader("accept-language", "et");
throwing.throwOnError();
told.bucketsThrown = await throwing.getBucket("none").then(
  () => "nothing",
  ({ name }) => name,
);

// Stores of other kinds, which there are none of here: every method is refused in the same way.
const { analytics, vectors } = client.storage;
const kinds = {
  "analytics.": analytics,
  "vectors.": vectors,
  "vectors.from().": vectors.from("b"),
  "vectors.from().index().": vectors.from("b").index("i"),
};
const given = { createBucket: ["b"], deleteBucket: ["b"], getBucket: ["b"], from: ["b"], index: ["i"], getIndex: ["i"], deleteIndex: ["i"], setHeader: ["accept-language", "et"] };
told.others = {};
for (const [prefix, object] of Object.entries(kinds))
  for (const name of methodsOf(Object.getPrototypeOf(object), own())) {
    if (name === "throwOnError") continue;
    const answer = await watched(object, prefix)[name](...(given[name] ?? [{ vectors: [{ key: "a", data: { float32: [1] } }], keys: ["a"], queryVector: { float32: [1] } }]));
    if (answer?.error) told.others[prefix + name] = codeOf(answer.error);
  }
for (const [prefix, object] of Object.entries(kinds)) watched(object, prefix).throwOnError();

// Cut off in the middle, then gone on with by another upload that knows its address.
const options = {
  endpoint: `${url}/storage/v1/upload/resumable`,
  headers: { authorization: `Bearer ${key}`, "x-upsert": "true" },
  uploadDataDuringCreation: true,
  chunkSize: 100_000,
  retryDelays: null,
  metadata: { bucketName: "notes", objectName: "resumed.pdf", contentType: "application/pdf", cacheControl: "3600" },
};
const address = await new Promise((resolve, reject) => {
  const first = new tus.Upload(pdf, {
    ...options,
    onError: reject,
    onChunkComplete: async (_, accepted) => {
      if (accepted < pdf.length) resolve(first.abort().then(() => first.url));
    },
  });
  first.start();
});
const before = await fetch(address, { method: "HEAD", headers: { ...options.headers, "tus-resumable": "1.0.0" } });
told.offset = Number(before.headers.get("upload-offset"));
await new Promise((onSuccess, onError) => {
  new tus.Upload(pdf, { ...options, uploadUrl: address, onSuccess, onError }).start();
});
told.resumed = await text(done(await files.download("resumed.pdf")));

told.removed = done(await files.remove([name, "blob.pdf", "no.pdf"])).map((found) => found.name);
done(await buckets.emptyBucket("notes"));
done(await buckets.deleteBucket("notes"));
const listed = (prefix, object) => [...methodsOf(Object.getPrototypeOf(object), own())].map((method) => prefix + method);
told.storage = report("@supabase/storage-js", [
  ...listed("", client.storage),
  ...listed("from().", client.storage.from("notes")),
  ...Object.entries(kinds).flatMap(([prefix, object]) => listed(prefix, object)),
]);
function own() {
  return ownOf("@supabase/storage-js/dist/index.d.mts");
}
console.log(JSON.stringify(told));
