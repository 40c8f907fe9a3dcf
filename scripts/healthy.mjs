// Exits with 0 when the platform of this machine or container says that it is healthy, otherwise with 1 and a reason.
// Asks the agent's own socket where there is one (it answers while the runtime is frozen), else the public one.

const everywhere = { "*": "127.0.0.1", "0.0.0.0": "127.0.0.1", "[::]": "[::1]" };

/** Where `/healthz` is, by the variables that the platform itself listens by. */
export function healthAddress({ ADMIN_LISTEN = "", HOST = "", PORT = "" }) {
  const [, adminHost, adminPort] = /^(?:(.*):)?(\d+)$/.exec(ADMIN_LISTEN.trim()) ?? [];
  const publicHost = HOST.trim() || "*";
  const written = publicHost.includes(":") && !publicHost.startsWith("[") ? `[${publicHost}]` : publicHost;
  const host = adminPort ? (adminHost ?? "*") : written;
  return `http://${everywhere[host] ?? host}:${adminPort ?? (PORT.trim() || "8080")}/healthz`;
}

async function check() {
  const address = healthAddress(process.env);
  const answer = await fetch(address, { signal: AbortSignal.timeout(4000) });
  const { status } = await answer.json();
  if (!answer.ok || status !== "healthy") throw new Error(`${address} says ${answer.status} ${status}`);
}

if (import.meta.url === `file://${process.argv[1]}`) {
  await check().catch((error) => {
    console.error(`unhealthy: ${error.cause?.message ?? error.message}`);
    process.exitCode = 1;
  });
}
