// An OpenID Connect provider that we did not write (npm `oidc-provider`), for the end-to-end tests: of signing in, and
// of OAuth tokens that end, are refreshed and rotate.
//
// How it is used: copy this folder to somewhere outside of the checkout, `npm ci`, and `node issuer.js` with, all
// optional:
//
//   ISSUER_PORT            the port on 127.0.0.1; 0 (unless said) takes a free one
//   ISSUER_CLIENT_ID       the client; `sallyport` unless said
//   ISSUER_CLIENT_SECRET   its secret, by HTTP Basic or in the form; `a-secret-for-tests-only` unless said
//   ISSUER_REDIRECTS       redirect addresses that the client has registered, separated by spaces
//   ISSUER_ACCESS_SECONDS  how long an access token lives; 3600 unless said
//   ISSUER_REFRESH_SECONDS how long a refresh token lives; a day unless said
//   ISSUER_PKCE            `required` (unless said) or `optional`
//   ISSUER_ROTATE          `on`: a refresh gives a new refresh token, and using an old one again revokes the whole
//                          grant; `off` unless said
//   ISSUER_SCOPES          scopes beside openid, offline_access, email and profile, separated by spaces
//   ISSUER_CLAIMS_IN       `userinfo` (unless said, as OpenID Connect has it for the code flow) or `id-token`
//
// It prints one line, `issuer http://127.0.0.1:PORT`, when it answers, and ends when its standard input is closed, so that
// none outlives its test. What it does is at `/.well-known/openid-configuration`: `/auth`, `/token`, `/me` (user info),
// `/jwks`, `/token/revocation`, `/token/introspection`.
//
// Signing in: `/auth` redirects to `/interaction/ID`; POST there `prompt=login&login=NAME&password=anything`, follow the
// redirects to the next `/interaction/ID`, POST `prompt=consent`, and follow them to the redirect address. Every name is
// an account; those of ACCOUNTS have more to them. A refresh token comes with every code.

import { generateKeyPairSync, randomBytes } from "node:crypto";
import { createServer } from "node:http";
import { Provider } from "oidc-provider";

const ACCOUNTS = {
  ana: { name: "Ana Okafor", email: "Ana@acme.example", email_verified: true, groups: ["staff", "sallyport-admins"] },
  ben: { name: "Ben Ruiz", email: "ben@acme.example", email_verified: true, groups: ["staff"] },
  eve: { name: "Eve Moss", email: "ana@acme.example", email_verified: false, groups: ["staff"] },
};

const setting = (name, unless) => process.env[`ISSUER_${name}`] || unless;
const words = (name) => setting(name, "").split(" ").filter(Boolean);

function key() {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  return { ...privateKey.export({ format: "jwk" }), use: "sig", alg: "RS256", kid: randomBytes(8).toString("hex") };
}

const configuration = {
  clients: [{
    client_id: setting("CLIENT_ID", "sallyport"),
    client_secret: setting("CLIENT_SECRET", "a-secret-for-tests-only"),
    redirect_uris: words("REDIRECTS"),
    grant_types: ["authorization_code", "refresh_token"],
    response_types: ["code"],
  }],
  findAccount: (_context, id) => ({ accountId: id, claims: () => ({ sub: id, ...ACCOUNTS[id] }) }),
  claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name", "groups"] },
  conformIdTokenClaims: setting("CLAIMS_IN", "userinfo") !== "id-token",
  scopes: ["openid", "offline_access", ...words("SCOPES")],
  pkce: { required: () => setting("PKCE", "required") === "required" },
  rotateRefreshToken: setting("ROTATE", "off") === "on",
  issueRefreshToken: async (_context, client) => client.grantTypeAllowed("refresh_token"),
  ttl: {
    AccessToken: Number(setting("ACCESS_SECONDS", 3600)),
    RefreshToken: Number(setting("REFRESH_SECONDS", 86400)),
    AuthorizationCode: 60, IdToken: 3600, Interaction: 600, Grant: 86400, Session: 86400,
  },
  features: { devInteractions: { enabled: true }, revocation: { enabled: true }, introspection: { enabled: true } },
  cookies: { keys: [randomBytes(16).toString("hex")] },
  jwks: { keys: [key()] },
};

// The port is known once it listens, and the issuer's name holds the port.
let answer;
const server = createServer((request, response) => answer(request, response));
server.listen(Number(setting("PORT", 0)), "127.0.0.1", () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  answer = new Provider(issuer, configuration).callback();
  console.log(`issuer ${issuer}`);
});

process.stdin.on("end", () => process.exit(0)).resume();
