// Scripts that complete the words of the command line. Pure.

export const SHELLS = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof SHELLS)[number];

/** What may follow the words of `path`. */
export interface CompletionNode {
  path: string[];
  words: string[];
  about: string;
}

export function completionScript(shell: Shell, nodes: CompletionNode[]): string {
  return { bash, zsh, fish }[shell](nodes);
}

const cases = (nodes: CompletionNode[]) =>
  nodes.map(({ path, words }) => `    "${path.join(" ")}") words="${words.join(" ")}" ;;`).join("\n");

/** Words of the line that name no command are arguments: the longest known path counts. */
const bash = (nodes: CompletionNode[]) => `# wrkst completion for bash: eval "$(wrkst completion bash)"
_wrkst_words() {
  local words=""
  case "$1" in
${cases(nodes)}
    *) return 1 ;;
  esac
  printf '%s' "$words"
}
_wrkst() {
  local path="" found="" next="" index
  found="$(_wrkst_words "")"
  for ((index = 1; index < COMP_CWORD; index++)); do
    case "\${COMP_WORDS[index]}" in -*) continue ;; esac
    path="\${path:+$path }\${COMP_WORDS[index]}"
    next="$(_wrkst_words "$path")" || break
    found="$next"
  done
  COMPREPLY=($(compgen -W "$found" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _wrkst wrkst
`;

const zsh = (nodes: CompletionNode[]) => `#compdef wrkst
# wrkst completion for zsh: eval "$(wrkst completion zsh)"
autoload -U +X bashcompinit && bashcompinit
${bash(nodes).split("\n").slice(1).join("\n")}`;

const quote = (text: string) => `'${text.replace(/\\/g, "\\\\").replace(/'/g, "\\'")}'`;

const fish = (nodes: CompletionNode[]) => {
  const lines = nodes.flatMap(({ path, words }) => {
    const below = nodes.filter(
      (node) => node.path.length === path.length + 1 && path.every((one, i) => node.path[i] === one),
    );
    const seen = path.map((word) => `__fish_seen_subcommand_from ${word}`);
    const none = below.length
      ? [`not __fish_seen_subcommand_from ${below.map((node) => node.path.at(-1)).join(" ")}`]
      : [];
    const when = [...seen, ...none].join("; and ") || "true";
    const commands = below.map(
      (node) => `complete -c wrkst -f -n ${quote(when)} -a ${node.path.at(-1)} -d ${quote(node.about)}`,
    );
    const options = words.filter((word) => word.startsWith("--"));
    return [...commands, ...options.map((word) => `complete -c wrkst -n ${quote(when)} -l ${word.slice(2)}`)];
  });
  return `# wrkst completion for fish: wrkst completion fish | source\n${lines.join("\n")}\n`;
};
