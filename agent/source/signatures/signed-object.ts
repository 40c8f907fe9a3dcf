// Reads commit and tag objects byte by byte: what was signed, the signature, and when. Pure. What git would read in two
// ways is refused.

import { WrkstError } from "../../errors.js";
import { printable } from "../remote.js";

/** A commit or tag object, taken apart. */
export interface SignedObject {
  what: "commit" | "tag";
  /** What a signature of it is about, byte for byte. */
  payload: Buffer;
  /** Armored text; absent: unsigned. */
  signature?: Buffer;
  /** When it was committed or tagged, as the object says: seconds since 1970. */
  time: number;
}

export interface SignedTag extends SignedObject {
  name: string;
  /** Commit that it names, 40 hex. */
  target: string;
}

/** Format of a signature, by its first line. */
export type SignatureKind = "ssh" | "openpgp" | "x509";

const SIGNATURE_LIMIT = 64 * 1024;
/** The last second of the year 9999: the tools take no later one. */
const LAST_SECOND = 253_402_300_799;
const MARKERS: Record<string, SignatureKind> = {
  "-----BEGIN SSH SIGNATURE-----": "ssh",
  "-----BEGIN PGP SIGNATURE-----": "openpgp",
  "-----BEGIN SIGNED MESSAGE-----": "x509",
};
/** One header: a name, a value, and the lines that go on with it, which begin with a space. */
const HEADER = /([!-~]+) ([^\n\0]*\n(?: [^\n\0]*\n)*)/y;
/** Name, address and time zone may be odd in old histories; the time may not. */
const PERSON = /^[^\n]*> (\d{1,12}) [+-]\d{1,5}\n$/;
const ID = /^[0-9a-f]{40}\n$/;

interface Header {
  name: string;
  value: string;
  start: number;
  end: number;
}

/**
 * The signature of a commit stands in its header `gpgsig`; signed is all the rest but `gpgsig-sha256`, as git has it.
 *
 * @throws WrkstError ERR_GIT_UNVERIFIED when the bytes are no well-formed commit.
 */
export function parseCommit(bytes: Uint8Array): SignedObject {
  const text = toText(bytes);
  const { headers } = headersOf(text, "commit");
  const names = headers.map(({ name }) => name);
  const parents = names.filter((name) => name === "parent").length;
  const expected = ["tree", ...Array<string>(parents).fill("parent"), "author", "committer"];
  if (expected.some((name, index) => names[index] !== name)) throw malformed("commit", "its headers are out of order");
  refuseRepeated("commit", names.slice(expected.length), expected);
  for (const { name, value } of headers) {
    if ((name === "tree" || name === "parent") && !ID.test(value)) throw malformed("commit", `"${name}" is no id`);
  }
  const signature = headerOf(headers, "gpgsig");
  return {
    what: "commit",
    payload: toBytes(withoutSignatures(text, headers)),
    time: timeOf("commit", headerOf(headers, "committer")),
    ...(signature === undefined ? {} : { signature: checkedSignature("commit", signature.replaceAll("\n ", "\n")) }),
  };
}

/**
 * The signature of a tag stands at the end of its message, from the last line on that begins one.
 *
 * @throws WrkstError ERR_GIT_UNVERIFIED when the bytes are no well-formed tag of a commit.
 */
export function parseTag(bytes: Uint8Array): SignedTag {
  const text = toText(bytes);
  const { headers, end } = headersOf(text, "tag");
  const names = headers.map(({ name }) => name);
  const expected = ["object", "type", "tag", "tagger"];
  if (expected.some((name, index) => names[index] !== name)) throw malformed("tag", "its headers are out of order");
  refuseRepeated("tag", names.slice(expected.length), [...expected, "gpgsig"]);
  const [object = "", type = "", tag = "", tagger] = expected.map((name) => headerOf(headers, name));
  if (!ID.test(object)) throw malformed("tag", '"object" is no id');
  if (type !== "commit\n") throw malformed("tag", `it names a "${printable(type.trim())}", not a commit`);
  if (tag.includes("\n ")) throw malformed("tag", "its name has two lines");
  const begin = startOfSignature(text, end);
  const signed = text.slice(0, begin ?? text.length);
  return {
    what: "tag",
    payload: toBytes(withoutSignatures(signed, headers)),
    time: timeOf("tag", tagger),
    name: Buffer.from(tag.slice(0, -1), "latin1").toString("utf8"),
    target: object.slice(0, 40),
    ...(begin === undefined ? {} : { signature: checkedSignature("tag", text.slice(begin)) }),
  };
}

export function kindOf(signature: Buffer): SignatureKind | undefined {
  return MARKERS[firstLine(signature.toString("latin1", 0, 80), 0)];
}

/** One character for each byte, there and back. */
function toText(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("latin1");
}
function toBytes(text: string): Buffer {
  return Buffer.from(text, "latin1");
}

function headersOf(text: string, what: SignedObject["what"]): { headers: Header[]; end: number } {
  const headers: Header[] = [];
  let at = 0;
  while (text[at] !== "\n") {
    HEADER.lastIndex = at;
    const [whole, name, value] = HEADER.exec(text) ?? [];
    if (whole === undefined || name === undefined || value === undefined) {
      throw malformed(what, `header ${headers.length + 1} cannot be read`);
    }
    headers.push({ name, value, start: at, end: at + whole.length });
    at += whole.length;
  }
  return { headers, end: at + 1 };
}

/** After the fixed headers those of `once` may not come again, a signature comes once, and no unsigned name of another kind. */
function refuseRepeated(what: SignedObject["what"], rest: string[], once: string[]): void {
  const seen = new Set(once);
  for (const name of rest) {
    if (name.startsWith("gpgsig") && name !== "gpgsig" && name !== "gpgsig-sha256") {
      throw malformed(what, `header "${printable(name)}" is unknown`);
    }
    if (seen.has(name)) throw malformed(what, `header "${printable(name)}" is out of place`);
    if (name.startsWith("gpgsig")) seen.add(name);
  }
}

function withoutSignatures(text: string, headers: Header[]): string {
  let rest = "";
  let at = 0;
  for (const { name, start, end } of headers) {
    if (!name.startsWith("gpgsig")) continue;
    rest += text.slice(at, start);
    at = end;
  }
  return rest + text.slice(at);
}

function headerOf(headers: Header[], name: string): string | undefined {
  return headers.find((header) => header.name === name)?.value;
}

function timeOf(what: SignedObject["what"], person: string | undefined): number {
  const time = PERSON.exec(person ?? "")?.[1];
  if (time === undefined || Number(time) > LAST_SECOND) throw malformed(what, "it does not say when it was made");
  return Number(time);
}

/** Where the last line stands that begins a signature, as git looks for it. */
function startOfSignature(text: string, from: number): number | undefined {
  let found: number | undefined;
  for (let at = from; at < text.length; at += firstLine(text, at).length + 1) {
    if (Object.hasOwn(MARKERS, firstLine(text, at))) found = at;
  }
  return found;
}

function firstLine(text: string, from: number): string {
  const end = text.indexOf("\n", from);
  return text.slice(from, end < 0 ? text.length : end);
}

/** Exactly one armored block: nothing before it, in the middle of it, or behind it, that a tool might read instead. */
function checkedSignature(what: SignedObject["what"], text: string): Buffer {
  if (text.length > SIGNATURE_LIMIT) throw malformed(what, `its signature has more than ${SIGNATURE_LIMIT} bytes`);
  const lines = text.trimEnd().split(/\r?\n/);
  const [first = "", last = ""] = [lines[0], lines.at(-1)];
  const isWhole = Object.hasOwn(MARKERS, first) && last === first.replace("BEGIN", "END");
  if (!isWhole || lines.slice(1, -1).some((line) => /^\s*-/.test(line) || /[^\t -~]/.test(line))) {
    throw malformed(what, "its signature is not one armored block");
  }
  return toBytes(`${lines.join("\n")}\n`);
}

function malformed(what: SignedObject["what"], why: string): WrkstError {
  return new WrkstError("ERR_GIT_UNVERIFIED", `the ${what} object is malformed: ${why}`, {
    hint: "look at it: git cat-file -p <id>",
  });
}
