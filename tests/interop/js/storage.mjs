// Every method of @supabase/storage-js that is about files, and an upload by tus-js-client that is cut off and resumed.
// Arguments: the address of a vault, an operator's token. Writes what came back as JSON.
import { createClient } from "@supabase/supabase-js";
import { Buffer } from "node:buffer";
import * as tus from "tus-js-client";

const [url, key] = process.argv.slice(2);
// The client insists on a transport for a service that is not used.
const settings = { auth: { persistSession: false, autoRefreshToken: false }, realtime: { transport: class {} } };
const client = createClient(url, key, settings);
const pdf = Buffer.concat([Buffer.from("%PDF-1.7\n"), Buffer.alloc(300_000, "music ")]);
const told = {};
const called = new Set();

// Notes the names of the methods that are called.
const watched = (target) =>
  new Proxy(target, {
    get(object, name) {
      const value = object[name];
      if (typeof value !== "function") return value;
      return (...given) => {
        called.add(name);
        return value.apply(object, given);
      };
    },
  });
const buckets = watched(client.storage);
const files = watched(client.storage.from("notes"));
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
const guest = watched(createClient(url, "sb_publishable_none", settings).storage.from("notes"));
told.signed = done(await guest.uploadToSignedUrl("signed.pdf", upload.token, pdf, { contentType: "application/pdf" })).fullPath;
done(await files.move("signed.pdf", "moved.pdf"));
told.copied = done(await files.copy("moved.pdf", "copied.pdf")).path;
told.missing = error(await files.download("signed.pdf"));
told.purge = error(await files.purgeCache(name));
told.purgeBucket = error(await buckets.purgeBucketCache("notes"));

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
const methods = (object) => {
  const names = new Set();
  for (let kind = Object.getPrototypeOf(object); kind !== Object.prototype; kind = Object.getPrototypeOf(kind))
    for (const found of Object.getOwnPropertyNames(kind)) if (typeof Object.getOwnPropertyDescriptor(kind, found).value === "function") names.add(found);
  return names;
};
told.uncalled = [...methods(client.storage), ...methods(client.storage.from("notes"))].filter((found) => !called.has(found));
console.log(JSON.stringify(told));
