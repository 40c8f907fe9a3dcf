// The smallest useful function: one handler, called once for each request.
//
//   curl http://hello.localhost:8080
//   curl "http://hello.localhost:8080?name=Ada"

export default {
  async fetch(request) {
    const name = new URL(request.url).searchParams.get("name") ?? "world";
    return new Response(`Hello, ${name}!\n`);
  },
} satisfies ExportedHandler;
