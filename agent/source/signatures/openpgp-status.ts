// Reads what gpg says of a signature on its status file descriptor (GnuPG, doc/DETAILS). Pure. Anything but one good
// signature by one key is a refusal.

export interface GoodSignature {
  /** Of the primary key, upper-case hex. */
  fingerprint: string;
  userId: string;
}

export interface RefusedSignature {
  /** `revoked-key` and so on; undefined where gpg says nothing that we know. */
  reason: "bad" | "expired" | "expired-key" | "revoked-key" | "unknown-key" | "several" | undefined;
  /** Fingerprint or id of the key, as far as it is known. */
  key: string | undefined;
}

/** Keywords of which each signature has exactly one. */
const VERDICTS: Record<string, RefusedSignature["reason"] | "good"> = {
  GOODSIG: "good",
  BADSIG: "bad",
  EXPSIG: "expired",
  EXPKEYSIG: "expired-key",
  REVKEYSIG: "revoked-key",
  ERRSIG: "unknown-key",
};
const FINGERPRINT = /^(?:[0-9A-F]{40}|[0-9A-F]{64})$/;
/** A signature over the bytes as they are; others leave line ends and spaces open. */
const BINARY_DOCUMENT = "00";

export function readStatus(text: string): GoodSignature | RefusedSignature {
  const lines = text.split("\n").flatMap((line) => {
    const [, keyword, rest = ""] = /^\[GNUPG:\] ([A-Z_]+)(?: (.*))?$/.exec(line) ?? [];
    return keyword === undefined ? [] : [{ keyword, rest }];
  });
  const verdicts = lines.filter(({ keyword }) => Object.hasOwn(VERDICTS, keyword));
  const valid = lines.filter(({ keyword }) => keyword === "VALIDSIG");
  const [verdict] = verdicts;
  const fields = valid[0]?.rest.split(" ") ?? [];
  const primary = fields[9] ?? fields[0];
  const [key, ...words] = verdict?.rest.split(" ") ?? [];
  if (verdicts.length > 1 || valid.length > 1) return { reason: "several", key };
  const reason = verdict && VERDICTS[verdict.keyword];
  if (reason !== "good") return { reason, key: primary ?? fingerprintOf(verdict) ?? key };
  if (primary === undefined || !FINGERPRINT.test(primary) || fields[8] !== BINARY_DOCUMENT) {
    return { reason: undefined, key: primary ?? key };
  }
  return { fingerprint: primary, userId: unescaped(words.join(" ")) };
}

/** `ERRSIG <key id> <algorithm> <hash> <class> <time> <rc> <fingerprint>`. */
function fingerprintOf(line: { keyword: string; rest: string } | undefined): string | undefined {
  const last = line?.keyword === "ERRSIG" ? line.rest.split(" ")[6] : undefined;
  return last !== undefined && FINGERPRINT.test(last) ? last : undefined;
}

/** User ids are UTF-8 with `%xx` for what would break the line. */
function unescaped(text: string): string {
  return text.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}
