// What `wrkst init` writes. Pure; the content of every template deploys as it is.

export const TEMPLATES = ["repository", "function", "javascript", "websocket"] as const;
export type Template = (typeof TEMPLATES)[number];

const COMPATIBILITY_DATE = "2026-11-01";

/** Path → content. */
export function filesOf(template: Template, name: string): Record<string, string> {
  switch (template) {
    case "repository":
      return { "README.md": README, ".gitignore": "node_modules/\n.wrangler/\n.env\n", ...inFolder(name) };
    case "function":
      return { "wrangler.toml": wranglerFile(name, "src/index.ts"), "src/index.ts": TYPESCRIPT };
    case "javascript":
      return { "wrangler.toml": wranglerFile(name, "src/index.js"), "src/index.js": JAVASCRIPT };
    case "websocket":
      return { "wrangler.toml": wranglerFile(name, "src/index.ts"), "src/index.ts": WEBSOCKET };
  }
}

function inFolder(name: string): Record<string, string> {
  const files = Object.entries(filesOf("function", name));
  return Object.fromEntries(files.map(([path, content]) => [`${name}/${path}`, content]));
}

const wranglerFile = (name: string, main: string) => `name = "${name}"
main = "${main}"
compatibility_date = "${COMPATIBILITY_DATE}"

[vars]
GREETING = "Hello"
`;

const TYPESCRIPT = `interface Env {
  GREETING: string;
}

export default {
  fetch(request: Request, env: Env): Response {
    const name = new URL(request.url).searchParams.get("name") ?? "world";
    return new Response(\`\${env.GREETING}, \${name}!\\n\`);
  },
};
`;

const JAVASCRIPT = `export default {
  fetch(request, env) {
    const name = new URL(request.url).searchParams.get("name") ?? "world";
    return new Response(\`\${env.GREETING}, \${name}!\\n\`);
  },
};
`;

const WEBSOCKET = `interface Env {
  GREETING: string;
}

export default {
  fetch(request: Request, env: Env): Response {
    if (request.headers.get("upgrade") !== "websocket") return new Response("expected a WebSocket\\n", { status: 426 });
    const { 0: client, 1: server } = new WebSocketPair();
    server.accept();
    server.send(env.GREETING);
    server.addEventListener("message", ({ data }: MessageEvent) => server.send(data));
    return new Response(null, { status: 101, webSocket: client } as ResponseInit);
  },
};
`;

const README = `# Functions

Every folder with a wrangler file is a function. \`git push\` deploys what changed.

    wrkst init greet        # another function
    wrkst deploy greet      # try it before it is pushed
    wrkst status            # what serves, and why
`;
