// Files as modules: text arrives as a string, data as an ArrayBuffer. They are part of the version, so what a version
// serves never changes under it.
//
//   curl http://assets-text.localhost:8080
//   curl http://assets-text.localhost:8080/icon.png -o icon.png

import icon from "./icon.png";
import html from "./page.html";
import css from "./style.css";

const files = new Map<string, { type: string; body: string | ArrayBuffer }>([
  ["/", { type: "text/html; charset=utf-8", body: html }],
  ["/style.css", { type: "text/css; charset=utf-8", body: css }],
  ["/icon.png", { type: "image/png", body: icon }],
]);

export default {
  async fetch(request) {
    const file = files.get(new URL(request.url).pathname);
    if (!file) return new Response("Not found\n", { status: 404 });
    return new Response(file.body, { headers: { "content-type": file.type } });
  },
} satisfies ExportedHandler;
