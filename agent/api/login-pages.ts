// The pages of login: confirmation, device, messages. Invariant: whatever comes from outside is escaped; no script, no frame,
// forms only to where they must go (SECURITY.md B9). Pure.

import { createHash } from "node:crypto";

export interface Page {
  html: string;
  headers: Record<string, string>;
}

const STYLE = `
body { font: 16px/1.5 system-ui, sans-serif; max-width: 34rem; margin: 12vh auto; padding: 0 1.5rem; color: #1c1c1c; background: #fff }
h1 { font-size: 1.4rem }
dl { display: grid; grid-template-columns: max-content auto; gap: .3rem 1rem }
dt { color: #666 }
dd { margin: 0; overflow-wrap: anywhere }
button, input { font: inherit; padding: .5rem 1.2rem; margin-right: .6rem; border: 1px solid #888; border-radius: .3rem; background: #fff }
button.yes { background: #1c1c1c; color: #fff }
@media (prefers-color-scheme: dark) { body, button, input { background: #151515; color: #eee } dt { color: #aaa } button.yes { background: #eee; color: #151515 } }
`;
const STYLE_HASH = `'sha256-${createHash("sha256").update(STYLE).digest("base64")}'`;

export interface Confirmation {
  clientName: string;
  user: { name: string; email: string | null; account: string; role: string };
  /** What this platform knows of the scopes that were asked for. */
  granted: readonly string[];
  /** Where the client waits: its origin must be allowed to the form. */
  redirect: string | undefined;
  landing: string | undefined;
  /** What the device shows. */
  userCode: string | undefined;
  address: string | undefined;
  fields: Record<string, string>;
}

export function confirmationPage(of: Confirmation): Page {
  const rows: [string, string][] = [
    ["client", of.clientName],
    ["account", of.user.account],
    ["you are", of.user.email === null ? of.user.name : `${of.user.name} (${of.user.email})`],
    ["role", of.user.role],
    ["may", of.granted.join(", ") || "nothing here"],
    ...(of.redirect === undefined ? [] : [["goes back to", new URL(of.redirect).origin] as [string, string]]),
    ...(of.userCode === undefined ? [] : [["code", of.userCode] as [string, string]]),
    ...(of.address === undefined ? [] : [["asked from", of.address] as [string, string]]),
  ];
  const warning =
    of.userCode === undefined
      ? "<p>Allow this only if you have just asked for it.</p>"
      : "<p>Allow this only if your own device shows exactly this code. Nobody else may ask you for it.</p>";
  const hidden = Object.entries(of.fields).map(
    ([name, value]) => `<input type="hidden" name="${escapeHtml(name)}" value="${escapeHtml(value)}">`,
  );
  const body = `<h1>Log in to ${escapeHtml(of.clientName)}?</h1>
<dl>${rows.map(([term, text]) => `<dt>${escapeHtml(term)}</dt><dd>${escapeHtml(text)}</dd>`).join("")}</dl>
${warning}
<form method="post" action="/oauth2/confirm">${hidden.join("")}
<button class="yes" name="decision" value="allow">Allow</button><button name="decision" value="deny">Deny</button></form>`;
  const targets = [of.redirect, of.landing].flatMap((url) => (url === undefined ? [] : [new URL(url).origin]));
  return page("Confirm login", body, targets);
}

export function devicePage(message: string | undefined): Page {
  const said = message === undefined ? "" : `<p role="alert">${escapeHtml(message)}</p>`;
  const body = `<h1>Log in a device</h1>${said}
<p>Type the code that the device shows.</p>
<form method="get" action="/device"><input name="user_code" autocomplete="off" autocapitalize="characters" placeholder="XXXX-XXXX" required>
<button class="yes">Go on</button></form>`;
  return page("Log in a device", body);
}

export function messagePage(title: string, message: string, hint?: string): Page {
  const more = hint === undefined ? "" : `<p>${escapeHtml(hint)}</p>`;
  return page(title, `<h1>${escapeHtml(title)}</h1><p>${escapeHtml(message)}</p>${more}`);
}

/** `formTargets`: origins beside our own, since browsers hold the redirect after a form to the policy too. */
function page(title: string, body: string, formTargets: string[] = []): Page {
  const html = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)} · wrkst</title><style>${STYLE}</style></head><body>
${body}
</body></html>
`;
  const policy = [
    "default-src 'none'",
    `style-src ${STYLE_HASH}`,
    `form-action ${["'self'", ...formTargets].join(" ")}`,
    "frame-ancestors 'none'",
    "base-uri 'none'",
  ];
  return {
    html,
    headers: {
      "content-type": "text/html; charset=utf-8",
      "content-security-policy": policy.join("; "),
      "x-frame-options": "DENY",
      // "no-referrer" would make browsers send "Origin: null" with the form.
      "referrer-policy": "same-origin",
    },
  };
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
