// Which names of a tree are refused, whatever they are the name of. Pure.

/** Code points that HFS+ ignores when it compares names, so that `.g<ZWNJ>it` would be `.git` there. */
const HFS_IGNORED = /[\u200c-\u200f\u202a-\u202e\u206a-\u206f\ufeff]/g;

const ODD = /[^0-9A-Za-z._-]|^\.\.?$|^\.git|^git~|^$/i;

/**
 * Why a name of a tree is refused, or undefined for an ordinary one. Follows git's own `verify_path` and fsck, with the
 * protection for NTFS and HFS+ on everywhere, and adds control characters, backslashes and bytes that are not UTF-8.
 */
export function refusedName(bytes: Uint8Array, name: string): string | undefined {
  if (bytes.length > 255) return "the name is longer than 255 bytes";
  if (!ODD.test(name)) return undefined;
  if (name === "") return "the name is empty";
  if (name === "." || name === "..") return "the name leads out of its folder";
  if (name.includes("/")) return "the name holds a slash";
  if (name.includes("\\")) return "the name holds a backslash";
  if (/[\u0000-\u001f\u007f-\u009f]/.test(name)) return "the name holds a control character";
  if (name.includes("\ufffd") && !Buffer.from(name, "utf8").equals(bytes)) return "the name is not UTF-8";
  if (isDotGit(name)) return 'the name is a form of ".git"';
  return undefined;
}

function isDotGit(name: string): boolean {
  const plain = name.replace(HFS_IGNORED, "").toLowerCase();
  // NTFS ignores trailing dots and blanks and what follows a colon, and knows ".git" as "git~1" too.
  const onNtfs = plain.replace(/:.*$/s, "").replace(/[. ]+$/, "");
  return plain === ".git" || onNtfs === ".git" || /^git~\d+$/.test(onNtfs);
}
