// A function of several modules. The bundler follows the imports, also out of this folder, and makes one file of them.
//
//   curl http://modules.localhost:8080
//   curl "http://modules.localhost:8080/shout?text=hello"

import { escapeHtml, page } from "../../shared/html";
import { transforms } from "./transforms";

export default {
  async fetch(request) {
    const { pathname, searchParams } = new URL(request.url);
    const name = pathname.slice(1);
    if (!name) return index();

    const transform = transforms.get(name);
    if (!transform) return notFound(name);
    return new Response(`${transform(searchParams.get("text") ?? "")}\n`);
  },
} satisfies ExportedHandler;

function index(): Response {
  const links = [...transforms.keys()].map((name) => `<li><a href="/${name}?text=hello">${name}</a></li>`);
  return page("Transforms", `<ul>${links.join("")}</ul>`);
}

function notFound(name: string): Response {
  return page("Not found", `<p>There is no transform <code>${escapeHtml(name)}</code>.</p>`, { status: 404 });
}
