// Shared by several functions: any of them may import files from anywhere in the repository, and a change here deploys
// exactly those that do.

const ENTITIES: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

/** Makes any text safe to stand in HTML. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character]!);
}

/** A whole page. The title is text, the body is HTML. */
export function page(title: string, body: string, init?: ResponseInit): Response {
  const html = `<!doctype html>
<html lang="en">
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width">
  <title>${escapeHtml(title)}</title>
  <style>
    body { max-width: 36rem; margin: 4rem auto; padding: 0 1rem; font: 1rem/1.6 system-ui, sans-serif; }
  </style>
  <h1>${escapeHtml(title)}</h1>
  ${body}
</html>
`;
  const response = new Response(html, init);
  response.headers.set("content-type", "text/html; charset=utf-8");
  return response;
}
