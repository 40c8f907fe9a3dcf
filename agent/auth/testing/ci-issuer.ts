// A CI issuer of the tests' own.

import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { exportJWK, generateKeyPair, SignJWT } from "jose";

/** An issuer as CI services are: discovery and keys, signed tokens. */
export async function startIssuer(t: { after(end: () => void): void }) {
  let pair = await generateKeyPair("RS256");
  let kid = "1";
  let asked = 0;
  const state = { issuer: "", down: false };
  const server = createServer(async (req, res) => {
    asked += 1;
    if (state.down) return void res.writeHead(503).end();
    const keys = [{ ...(await exportJWK(pair.publicKey)), kid, alg: "RS256", use: "sig" }];
    const isDiscovery = req.url === "/.well-known/openid-configuration";
    res.end(JSON.stringify(isDiscovery ? { issuer: state.issuer, jwks_uri: `${url}/jwks` } : { keys }));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  state.issuer = url;
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const now = Math.floor(Date.now() / 1000);
  const good = {
    iss: url,
    aud: "wrkst",
    sub: "repo:acme/fns:ref:refs/heads/main",
    repository: "acme/fns",
    ref: "refs/heads/main",
    iat: now,
    exp: now + 300,
  };
  return {
    url,
    state,
    asked: () => asked,
    rotate: async () => {
      pair = await generateKeyPair("RS256");
      kid = `${kid}+`;
    },
    sign: (
      change: Record<string, unknown> = {},
      key: Parameters<SignJWT["sign"]>[0] = pair.privateKey,
      alg = "RS256",
    ) => new SignJWT({ ...good, ...change }).setProtectedHeader({ alg, kid, typ: "JWT" }).sign(key),
  };
}
