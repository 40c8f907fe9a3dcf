// The tables of access: people, their tokens, logins on their way. Secrets are there as SHA-256 digests only. A released step is never changed.

export const ACCESS_SCHEMA = `
  CREATE TABLE users (
    id TEXT PRIMARY KEY,
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    email TEXT,
    email_verified INTEGER NOT NULL,
    name TEXT NOT NULL,
    groups TEXT NOT NULL,
    account TEXT NOT NULL UNIQUE,
    role TEXT,
    disabled INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    last_login_at INTEGER NOT NULL,
    UNIQUE (issuer, subject)
  ) STRICT;

  CREATE TABLE api_tokens (
    id TEXT PRIMARY KEY,
    digest TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    owner TEXT NOT NULL,
    parent TEXT REFERENCES api_tokens (id) ON DELETE CASCADE,
    account TEXT NOT NULL,
    scopes TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    last_used_at INTEGER
  ) STRICT;
  CREATE INDEX api_tokens_owner ON api_tokens (owner, created_at);
  CREATE INDEX api_tokens_parent ON api_tokens (parent);

  CREATE TABLE token_families (
    id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    client_id TEXT NOT NULL,
    scope TEXT NOT NULL,
    created_at INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX token_families_user ON token_families (user_id);

  -- A used one is kept until it expires, so that its re-use is known for what it is.
  CREATE TABLE refresh_tokens (
    digest TEXT PRIMARY KEY,
    family_id TEXT NOT NULL REFERENCES token_families (id) ON DELETE CASCADE,
    used INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX refresh_tokens_family ON refresh_tokens (family_id);
  CREATE INDEX refresh_tokens_expiry ON refresh_tokens (expires_at);

  CREATE TABLE authorization_codes (
    digest TEXT PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    client_id TEXT NOT NULL,
    redirect_uri TEXT NOT NULL,
    challenge TEXT NOT NULL,
    scope TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    family_id TEXT
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX authorization_codes_expiry ON authorization_codes (expires_at);
  CREATE INDEX authorization_codes_user ON authorization_codes (user_id);

  CREATE TABLE device_codes (
    digest TEXT PRIMARY KEY,
    user_code TEXT NOT NULL UNIQUE,
    client_id TEXT NOT NULL,
    scope TEXT NOT NULL,
    address TEXT NOT NULL,
    state TEXT NOT NULL,
    user_id TEXT REFERENCES users (id) ON DELETE CASCADE,
    expires_at INTEGER NOT NULL,
    polled_at INTEGER
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX device_codes_expiry ON device_codes (expires_at);
  CREATE INDEX device_codes_user ON device_codes (user_id);

  CREATE TABLE logins (
    digest TEXT PRIMARY KEY,
    browser TEXT NOT NULL,
    request TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    nonce TEXT NOT NULL,
    verifier TEXT NOT NULL,
    user_id TEXT REFERENCES users (id) ON DELETE CASCADE,
    form TEXT
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX logins_expiry ON logins (expires_at);
  CREATE INDEX logins_user ON logins (user_id);

  -- Who did it, as JSON; null: the platform itself.
  ALTER TABLE events ADD COLUMN actor TEXT;
`;
