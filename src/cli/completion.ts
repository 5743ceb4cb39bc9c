/** `plinth completion`: scripts for shells, made from the commands themselves. */
import { EngineError } from '../core/errors.ts';
import { suggestion } from '../core/similar.ts';
import type { ExitCode } from './host.ts';
import { FORMATS } from './output.ts';
import { type CommandSpec, globalOptions } from './program.ts';

interface Words {
  readonly name: string;
  readonly summary: string;
  readonly flags: readonly string[];
  readonly takesPaths: boolean;
  /** What its argument may be, where that is known. */
  readonly values: readonly string[];
}

const GLOBAL_OPTIONS = globalOptions();
const GLOBAL = [...GLOBAL_OPTIONS.flatMap(option => option.long ?? []), '--help'];
/** As a pattern of `case`: after these comes a value, which is no command. */
const VALUED = GLOBAL_OPTIONS.filter(option => option.required)
  .flatMap(option => [option.short ?? [], option.long ?? []].flat())
  .join('|');
const SHELLS: Readonly<Record<string, (commands: readonly Words[]) => string>> = { bash, zsh, fish };

/** Prints the script. BadUse for a shell there is none for. */
export async function runCompletion(shell: string, commands: readonly CommandSpec[]): Promise<ExitCode> {
  const script = Object.hasOwn(SHELLS, shell) ? SHELLS[shell] : undefined;
  if (script === undefined) throw new EngineError('BadUse', `there is no completion for ${shell}`, { hint: suggestion(shell, Object.keys(SHELLS)) });
  process.stdout.write(script(commands.map(wordsOf)));
  return 0;
}

function wordsOf({ usage, summary, options = [] }: CommandSpec): Words {
  const [name = ''] = usage.split(' ');
  const values = usage.endsWith('<shell>') ? Object.keys(SHELLS) : [];
  return { name, summary, flags: options.flatMap(option => option.long ?? []), takesPaths: usage.includes('<path'), values };
}

function bash(commands: readonly Words[]): string {
  const cases = commands.map(
    ({ name, flags, takesPaths, values }) =>
      `    ${name}) words="${[...values, ...flags, ...GLOBAL].join(' ')}"; ${takesPaths ? 'compopt -o default;' : ''} ;;`,
  );
  return `# plinth completion for bash: source <(plinth completion bash)
_plinth() {
  local current="\${COMP_WORDS[COMP_CWORD]}" words="" command="" word before=""
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$before" in ${VALUED}) before=""; continue ;; esac
    case "$word" in -*) before="$word" ;; *) command="\${command:-$word}" ;; esac
  done
  case "$before" in
    -o|--output) COMPREPLY=($(compgen -W "${FORMATS.join(' ')}" -- "$current")); return ;;
    ${VALUED}) compopt -o default; return ;;
  esac
  case "$command" in
    "") words="${commands.map(item => item.name).join(' ')} --version ${GLOBAL.join(' ')}" ;;
${cases.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -F _plinth plinth
`;
}

function zsh(commands: readonly Words[]): string {
  const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
  const list = commands.map(({ name, summary }) => `    ${quoted(`${name}:${summary}`)}`);
  const cases = commands.map(
    ({ name, flags, takesPaths, values }) => `    ${name}) compadd -- ${[...values, ...flags, ...GLOBAL].join(' ')}${takesPaths ? '; _files' : ''} ;;`,
  );
  return `#compdef plinth
# plinth completion for zsh: put it into a folder of $fpath as _plinth
_plinth() {
  local -a commands=(
${list.join('\n')}
  )
  if (( CURRENT == 2 )); then _describe command commands; return; fi
  case "$words[2]" in
${cases.join('\n')}
  esac
}
if [ "$funcstack[1]" = "_plinth" ]; then _plinth "$@"; else compdef _plinth plinth; fi
`;
}

function fish(commands: readonly Words[]): string {
  const lines = commands.flatMap(({ name, summary, flags, takesPaths, values }) => [
    `complete -c plinth -n __fish_use_subcommand ${takesPaths ? '' : '-f '}-a ${name} -d "${summary.replaceAll('"', "'")}"`,
    ...flags.map(option => `complete -c plinth -n "__fish_seen_subcommand_from ${name}" -l ${option.slice(2)}`),
    ...(values.length === 0 ? [] : [`complete -c plinth -n "__fish_seen_subcommand_from ${name}" -a "${values.join(' ')}"`]),
  ]);
  return `# plinth completion for fish: plinth completion fish > ~/.config/fish/completions/plinth.fish
${lines.join('\n')}
${GLOBAL.map(option => `complete -c plinth -l ${option.slice(2)}`).join('\n')}
`;
}
