// Every method of @supabase/auth-js, as the client of @supabase/supabase-js has it.
// Arguments: the address of a vault, an operator's token, the folder of its mail, the public address it gives, two id
// tokens of the provider. Writes what came back as JSON.
import { createClient } from "@supabase/supabase-js";
import { createHmac } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import { codeOf, methodsBelow, ownOf, report, watched } from "./watched.mjs";

const [url, key, mail, base, idToken, otherToken] = process.argv.slice(2);
const APP = "https://app.example/back";
const PASSWORD = "cello and oboe";
const told = {};
class Nowhere {}
const client = (apikey = "sb_publishable_none", flowType = "implicit") =>
  createClient(url, apikey, {
    auth: { persistSession: false, autoRefreshToken: false, flowType, experimental: { passkey: true } },
    realtime: { transport: Nowhere },
  }).auth;
const auth = (flow) => watched(client(undefined, flow));
const admin = watched(client(key).admin, "admin.");
const done = ({ data, error }) => {
  if (error) throw new Error(`${error.status} ${error.code} ${error.message}`);
  return data;
};
const refused = ({ error }) => error && [error.status, codeOf(error)];
const person = (name) => `${name}@aurora.example`;

// The newest code that was mailed to the address.
const code = (email) => {
  const mails = readdirSync(mail).sort().map((name) => readFileSync(`${mail}/${name}`, "utf8"));
  return mails.filter((text) => text.includes(`To: ${email}`)).map((text) => /^Subject: (\d{6})/m.exec(text)?.[1]).filter(Boolean).at(-1);
};
const signedIn = async (name, flow) => {
  const one = auth(flow);
  done(await one.signInWithOtp({ email: person(name) }));
  done(await one.verifyOtp({ email: person(name), token: code(person(name)), type: "email" }));
  return one;
};
// A person at the provider: the code that comes back to the application.
const go = async (address, subject) => {
  if (address.includes("/auth/v1/authorize")) address = (await fetch(address, { redirect: "manual" })).headers.get("location");
  const consent = await fetch(address, { method: "POST", body: new URLSearchParams({ sub: subject }), redirect: "manual" });
  const back = consent.headers.get("location").replace(base, new URL(url).origin);
  const answer = await fetch(back, { redirect: "manual" });
  return new URL(answer.headers.get("location")).searchParams.get("code");
};
const totp = (secret, seconds = Date.now() / 1000) => {
  const bits = [...secret].map((sign) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(sign).toString(2).padStart(5, "0")).join("");
  const bytes = Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(seconds / 30)));
  const digest = createHmac("sha1", bytes).update(counter).digest();
  const at = digest[19] & 15;
  return String((digest.readUInt32BE(at) & 0x7fffffff) % 1_000_000).padStart(6, "0");
};

// Signing up, by password and by code.
const first = auth();
told.signedUp = done(await first.signUp({ email: person("mari"), password: PASSWORD, options: { data: { section: "alto" } } })).session;
told.resent = done(await first.resend({ type: "signup", email: person("mari") }));
told.confirmed = done(await first.verifyOtp({ email: person("mari"), token: code(person("mari")), type: "signup" })).user.user_metadata.section;
const mari = auth();
const events = [];
const { subscription } = mari.onAuthStateChange((event) => events.push(event)).data;
told.byPassword = done(await mari.signInWithPassword({ email: person("mari"), password: PASSWORD })).user.email;
subscription.unsubscribe();
told.wrong = refused(await auth().signInWithPassword({ email: person("mari"), password: "wrong" }));
told.throws = Boolean(mari.isThrowOnErrorEnabled());
told.initialized = (await mari.initialize()).error;

// The session, and what its token says to whoever verifies it with the published keys.
const session = done(await mari.getSession()).session;
const claims = done(await mari.getClaims());
told.claims = [claims.header.alg, claims.claims.email, claims.claims.role];
told.verifiedHere = claims.header.kid === JSON.parse(Buffer.from(session.access_token.split(".")[0], "base64url")).kid;
told.altered = refused(await mari.getClaims(`${session.access_token.slice(0, -8)}AAAAAAAA`));
const other = auth();
told.taken = done(await other.setSession(session)).user.email;
told.refreshed = done(await mari.refreshSession()).session.refresh_token !== session.refresh_token;
told.user = done(await mari.getUser()).user.email;
told.updated = done(await mari.updateUser({ data: { voice: 2 } })).user.user_metadata;
await mari.startAutoRefresh();
await mari.stopAutoRefresh();
told.reset = done(await auth().resetPasswordForEmail(person("mari"), { redirectTo: APP }));
const recovering = auth();
done(await recovering.verifyOtp({ email: person("mari"), token: code(person("mari")), type: "recovery" }));
told.reauthenticated = done(await recovering.reauthenticate()).user;
done(await recovering.updateUser({ password: "flute and harp", nonce: code(person("mari")) }));
told.ended = refused(await mari.refreshSession());

// Leaving, by scope.
const [one, two] = [await signedIn("pille"), await signedIn("pille")];
await one.signOut({ scope: "others" });
told.others = [refused(await two.refreshSession()), refused(await one.refreshSession())];
await one.signOut({ scope: "local" });
told.local = done(await one.getSession()).session;
const three = await signedIn("pille");
const token = done(await three.getSession()).session.access_token;
told.global = [(await three.signOut()).error, refused(await auth().getUser(token))];
three.dispose();

// Identity providers, with PKCE.
const kadri = auth("pkce");
const left = done(await kadri.signInWithOAuth({ provider: "google", options: { redirectTo: APP, skipBrowserRedirect: true } }));
told.exchanged = done(await kadri.exchangeCodeForSession(await go(left.url, "kadri"))).user.email;
const identities = done(await kadri.getUserIdentities()).identities;
told.identities = identities.map((known) => known.provider).sort();
done(await kadri.unlinkIdentity(identities.find((known) => known.provider === "google")));
const linking = done(await kadri.linkIdentity({ provider: "google", options: { redirectTo: APP } }));
done(await kadri.exchangeCodeForSession(await go(linking.url, "kadri")));
told.linked = done(await kadri.getUserIdentities()).identities.length;
const byToken = auth();
told.byIdToken = done(await byToken.signInWithIdToken({ provider: "google", token: idToken, nonce: "chosen" })).user.email;
told.usedToken = refused(await auth().signInWithIdToken({ provider: "google", token: idToken, nonce: "chosen" }));
told.linkedByToken = done(await byToken.linkIdentity({ provider: "google", token: otherToken, nonce: "chosen" })).user.identities.length;

// Second factors.
const tiit = await signedIn("tiit");
const factor = done(await tiit.mfa.enroll({ factorType: "totp", friendlyName: "Phone" }));
told.before = done(await tiit.mfa.getAuthenticatorAssuranceLevel());
const asked = done(await tiit.mfa.challenge({ factorId: factor.id }));
done(await tiit.mfa.verify({ factorId: factor.id, challengeId: asked.id, code: totp(factor.totp.secret) }));
told.after = done(await tiit.mfa.getAuthenticatorAssuranceLevel());
told.factors = done(await tiit.mfa.listFactors()).totp.map((known) => known.friendly_name);
// The next code: a clock that is half a minute ahead is allowed for.
told.again = Boolean(done(await tiit.mfa.challengeAndVerify({ factorId: factor.id, code: totp(factor.totp.secret, Date.now() / 1000 + 30) })).access_token);
told.unenrolled = done(await tiit.mfa.unenroll({ factorId: factor.id })).id === factor.id;
told.phone = refused(await tiit.mfa.enroll({ factorType: "phone", phone: "+3725551234" }));
// What a browser would give.
const bytes = new Uint8Array(8).buffer;
const credential = {
  id: "AAAA",
  rawId: bytes,
  type: "public-key",
  response: { authenticatorData: bytes, clientDataJSON: bytes, signature: bytes, userHandle: null },
  getClientExtensionResults: () => ({}),
};
const key1 = { factorId: factor.id, webauthn: { rpId: "aurora.example", type: "request", credential_response: credential } };
told.webauthn = [
  refused(await tiit.mfa.webauthn.enroll({ friendlyName: "Key" })),
  refused(await tiit.mfa.webauthn.challenge(key1)),
  refused(await tiit.mfa.webauthn.verify({ ...key1, challengeId: factor.id })),
  refused(await tiit.mfa.webauthn.register({ friendlyName: "Key", webauthn: { rpId: "aurora.example" } })),
  refused(await tiit.mfa.webauthn.authenticate(key1)),
];

// Operators.
const created = done(await admin.createUser({ email: person("new"), password: PASSWORD, email_confirm: true })).user;
told.created = done(await admin.getUserById(created.id)).user.email;
told.listed = done(await admin.listUsers({ page: 1, perPage: 50 })).users.some((known) => known.id === created.id);
told.changed = done(await admin.updateUserById(created.id, { app_metadata: { plan: "x" } })).user.app_metadata.plan;
told.link = done(await admin.generateLink({ type: "magiclink", email: person("new"), options: { redirectTo: APP } })).properties.verification_type;
told.invited = done(await admin.inviteUserByEmail(person("anne"), { redirectTo: APP })).user.email;
const anne = auth();
const anneSession = done(await anne.verifyOtp({ email: person("anne"), token: code(person("anne")), type: "invite" })).session;
told.signedOut = [(await admin.signOut(anneSession.access_token, "global")).error, refused(await anne.getUser())];
told.adminFactors = [
  done(await admin.mfa.listFactors({ userId: created.id })).factors,
  refused(await admin.mfa.deleteFactor({ userId: created.id, id: created.id })),
];
const tiitId = done(await tiit.getUser()).user.id;
const lost = done(await tiit.mfa.enroll({ factorType: "totp", friendlyName: "Lost" }));
done(await admin.mfa.deleteFactor({ userId: tiitId, id: lost.id }));
told.gone = [done(await admin.deleteUser(created.id)).user, refused(await admin.getUserById(created.id))];
told.noOperator = refused(await client().admin.listUsers());

// What is not offered says so.
told.not = {};
const NOT = "0190a0a0-0000-7000-8000-000000000000";
const not = async (name, call) => {
  told.not[name] = refused(await call);
};
await not("anonymous", auth().signInAnonymously());
await not("sso", auth().signInWithSSO({ domain: "aurora.example" }));
await not("web3", auth().signInWithWeb3({ chain: "ethereum", message: "Sign in", signature: "0x00" }));
await not("solana", auth().signInWithWeb3({ chain: "solana", message: "Sign in", signature: new Uint8Array(64) }));
await not("phone", auth().signInWithOtp({ phone: "+3725551234" }));
await not("passkey", auth().signInWithPasskey());
await not("registerPasskey", tiit.registerPasskey());
await not("startRegistration", tiit.passkey.startRegistration());
await not("verifyRegistration", tiit.passkey.verifyRegistration({ challengeId: NOT, credential: {} }));
await not("startAuthentication", tiit.passkey.startAuthentication());
await not("verifyAuthentication", tiit.passkey.verifyAuthentication({ challengeId: NOT, credential: {} }));
await not("passkeys", tiit.passkey.list());
await not("passkeyUpdate", tiit.passkey.update({ passkeyId: NOT, friendlyName: "x" }));
await not("passkeyDelete", tiit.passkey.delete({ passkeyId: NOT }));
await not("authorization", tiit.oauth.getAuthorizationDetails(NOT));
await not("approve", tiit.oauth.approveAuthorization(NOT));
await not("deny", tiit.oauth.denyAuthorization(NOT));
await not("grants", tiit.oauth.listGrants());
await not("revokeGrant", tiit.oauth.revokeGrant({ clientId: NOT }));
await not("oauthClients", admin.oauth.listClients());
await not("oauthCreate", admin.oauth.createClient({ client_name: "x", redirect_uris: [APP] }));
await not("oauthGet", admin.oauth.getClient(NOT));
await not("oauthUpdate", admin.oauth.updateClient(NOT, { client_name: "y" }));
await not("oauthDelete", admin.oauth.deleteClient(NOT));
await not("oauthSecret", admin.oauth.regenerateClientSecret(NOT));
await not("providers", admin.customProviders.listProviders());
await not("providerCreate", admin.customProviders.createProvider({ identifier: "custom:x", name: "x", provider_type: "oidc", client_id: "x", client_secret: "x" }));
await not("providerGet", admin.customProviders.getProvider("custom:x"));
await not("providerUpdate", admin.customProviders.updateProvider("custom:x", { name: "y" }));
await not("providerDelete", admin.customProviders.deleteProvider("custom:x"));
await not("adminPasskeys", admin.passkey.listPasskeys({ userId: tiitId }));
await not("adminPasskeyDelete", admin.passkey.deletePasskey({ userId: tiitId, passkeyId: NOT }));

told.events = events;
const own = ownOf("@supabase/auth-js/dist/module/GoTrueClient.d.ts", "@supabase/auth-js/dist/module/GoTrueAdminApi.d.ts", "@supabase/auth-js/dist/module/lib/webauthn.d.ts");
told.auth = report("@supabase/auth-js", methodsBelow(client(), own));
console.log(JSON.stringify(told));
