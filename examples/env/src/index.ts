// Configuration: vars of wrangler.toml, typed here and used like any other value.
//
//   curl http://env.localhost:8080
//   curl http://env.localhost:8080 -H 'Accept-Language: de'

interface Env {
  GREETING: string;
  LIMITS: { requests: number; burst: number };
  LANGUAGES: string[];
}

export default {
  async fetch(request, env) {
    const wanted = request.headers.get("accept-language")?.slice(0, 2) ?? "";
    const language = env.LANGUAGES.includes(wanted) ? wanted : env.LANGUAGES[0];
    return Response.json({ greeting: env.GREETING, language, limits: env.LIMITS });
  },
} satisfies ExportedHandler<Env>;
