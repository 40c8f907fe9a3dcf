// An OpenID provider for trying logins out on this machine: whatever name is typed is who logs in, with any password.
// Keeps nothing, and is no provider for anything but a trial.
import Provider from "oidc-provider";

const { ISSUER = "http://oidc.localhost:9000", REDIRECT_URI = "http://localhost:8080/auth/callback" } = process.env;
const { CLIENT_ID = "wrkst", CLIENT_SECRET = "only-for-trying-out", HOST = "0.0.0.0" } = process.env;

/** `ada` is `ada@example.com`; a name with `@` is an address itself. */
function accountOf(name) {
  const email = name.includes("@") ? name : `${name}@example.com`;
  return { accountId: name, claims: () => ({ sub: name, name, email, email_verified: true, groups: ["local"] }) };
}

const provider = new Provider(ISSUER, {
  clients: [
    {
      client_id: CLIENT_ID,
      client_secret: CLIENT_SECRET,
      redirect_uris: [REDIRECT_URI],
      grant_types: ["authorization_code"],
    },
  ],
  claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"], groups: ["groups"] },
  scopes: ["openid", "email", "profile", "groups"],
  // Put into the ID token itself, as most providers do.
  conformIdTokenClaims: false,
  findAccount: (_context, name) => accountOf(name),
  pkce: { required: () => true },
});

const server = provider.listen(Number(new URL(ISSUER).port || 80), HOST, () => {
  console.log(`${ISSUER}: any name and password log in; client "${CLIENT_ID}", redirect "${REDIRECT_URI}"`);
});
for (const signal of ["SIGINT", "SIGTERM"])
  process.on(signal, () => server.close(() => process.exit(0)).closeAllConnections());
