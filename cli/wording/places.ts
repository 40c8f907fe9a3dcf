// Where the address and the secret of a webhook go. Pure.

const JSON_TYPE = "application/json";

/** Where address and secret of a webhook go, by provider. */
export const PLACES = {
  github: {
    where: "Settings → Webhooks → Add webhook",
    fields: "Payload URL, Secret, just the push event",
    contentType: JSON_TYPE,
  },
  gitlab: {
    where: "Settings → Webhooks → Add new webhook",
    fields: "URL, Secret token (or, in newer ones, Signing token: whsec_…), push events, tag push events",
    contentType: `${JSON_TYPE} (always)`,
  },
  gitea: {
    where: "Settings → Webhooks → Add Webhook → Gitea",
    fields: "Target URL, POST, Secret, push, creation and deletion",
    contentType: JSON_TYPE,
  },
  forgejo: {
    where: "Settings → Webhooks → Add webhook → Forgejo",
    fields: "Target URL, POST, Secret, push, creation and deletion",
    contentType: JSON_TYPE,
  },
  gogs: {
    where: "Settings → Webhooks → Add a new webhook → Gogs",
    fields: "Payload URL, Secret, just the push event",
    contentType: JSON_TYPE,
  },
  bitbucket: {
    where: "Repository settings → Webhooks → Add webhook (Data Center: Create webhook)",
    fields: "URL, Secret, repository push",
    contentType: `${JSON_TYPE} (always)`,
  },
  standard: {
    where: "the sender's page for endpoints",
    fields: "URL, signing secret (whsec_…)",
    contentType: `${JSON_TYPE}; no body, or {"ref", "commit"}`,
  },
  generic: {
    where: "your script: send X-Signature: sha256=<hex HMAC-SHA256 of the body under the secret>",
    fields: "URL, secret",
    contentType: `${JSON_TYPE}; no body, or {"ref", "commit"}`,
  },
  oidc: {
    where: "your CI job: send Authorization: Bearer <its ID token>; rules for it are in OIDC_CI_RULES",
    fields: "URL; no secret",
    contentType: `${JSON_TYPE}; no body, or {"ref", "commit"}`,
  },
} as const;
