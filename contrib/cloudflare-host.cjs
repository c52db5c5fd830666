// Sends what a program would send to https://api.cloudflare.com/client/v4 to CLOUDFLARE_API_BASE_URL instead.
// For tools that have the host built in. Load it with NODE_OPTIONS="--require=/path/to/cloudflare-host.cjs".
"use strict";
const http = require("node:http");
const https = require("node:https");

const HOST = "api.cloudflare.com";
const PREFIX = "/client/v4";
const base = new URL(process.env.CLOUDFLARE_API_BASE_URL ?? `https://${HOST}${PREFIX}`);
// The token travels along: never over a network without encryption.
if (base.protocol !== "https:" && !["127.0.0.1", "[::1]", "localhost"].includes(base.hostname))
  throw new Error(`CLOUDFLARE_API_BASE_URL: wanted https, or http on this machine; got ${base.origin}`);
const moved = (path) => new URL(base.href.replace(/\/+$/, "") + path.replace(PREFIX, ""));

const request = https.request;
https.request = function (...given) {
  const [first, ...rest] = typeof given[0] === "string" ? [new URL(given[0]), ...given.slice(1)] : given;
  const [options, callback] = first instanceof URL && typeof rest[0] !== "function" ? [rest[0] ?? {}, rest[1]]
    : first instanceof URL ? [{}, rest[0]] : [first, rest[0]];
  const from = first instanceof URL ? first : { hostname: first.hostname ?? first.host, path: first.path ?? "/" };
  if (from.hostname !== HOST || base.hostname === HOST) return request.apply(https, given);
  const target = moved(from.path ?? from.pathname + from.search);
  const { agent, host, hostname, path, port, protocol, servername, ...kept } = options;
  return (target.protocol === "http:" ? http.request : request)(target, kept, callback);
};
https.get = (...given) => https.request(...given).end();
require("node:module").syncBuiltinESMExports();

const fetch = globalThis.fetch;
globalThis.fetch = async function (resource, options) {
  const from = new URL(resource instanceof Request ? resource.url : resource);
  if (from.hostname !== HOST || base.hostname === HOST) return fetch(resource, options);
  const target = moved(from.pathname + from.search);
  return fetch(resource instanceof Request ? new Request(target, resource) : target, options);
};
