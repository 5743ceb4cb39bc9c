/** The command line as a whole: which commands there are, their options, and how a run ends. */
import { Command, CommanderError, type Help, Option } from 'commander';
import { isError } from '../core/errors.ts';
import type { Context, ExitCode, Globals, Host, LogLevel } from './host.ts';
import { LOG_LEVELS } from './host.ts';
import { milliseconds, namespaceName, webAddress, wholeNumber } from './numbers.ts';
import { complain, FORMATS, type Format, newOutput } from './output.ts';

/** What a command is given: its arguments as typed, its own options, and the rest. */
export type Action = (context: Context, args: readonly string[], options: Readonly<Record<string, unknown>>) => Promise<ExitCode>;

export interface CommandSpec {
  /** As commander writes it: `up <path...>`. */
  readonly usage: string;
  readonly summary: string;
  /** Shown above the options in its help. */
  readonly about?: string;
  readonly options?: readonly Option[];
  readonly examples: readonly string[];
  /** Exit codes that are worth a line of help. */
  readonly exits?: string;
  readonly action: Action;
}

interface GlobalFlags {
  readonly state: string;
  readonly endpoint?: string;
  readonly namespace?: string;
  readonly pollInterval?: number;
  readonly workers?: number;
  readonly logLevel?: LogLevel;
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly allNamespaces?: boolean;
  readonly engineNamespace?: string;
  readonly output: Format;
}

/** The options that every command takes. */
export const globalOptions = (): Option[] => [
  new Option('-o, --output <format>', 'how the result is printed')
    .choices([...FORMATS])
    .default('table')
    .env('PLINTH_OUTPUT'),
  new Option('--state <dir>', 'state folder of the project').default('.plinth').env('PLINTH_STATE'),
  new Option('--endpoint <url>', 'AWS-compatible endpoint for the local class, instead of an emulator of its own').argParser(webAddress).env('PLINTH_ENDPOINT'),
  new Option('-n, --namespace <name>', 'namespace of claims that name none (default: the name of the project folder; in a cluster, of the context)')
    .argParser(namespaceName)
    .env('PLINTH_NAMESPACE'),
  new Option('--poll-interval <time>', 'time between looks at a claim that is fine, e.g. 30s').argParser(milliseconds).env('PLINTH_POLL_INTERVAL'),
  new Option('--workers <n>', 'claims worked at once').argParser(wholeNumber).env('PLINTH_WORKERS'),
  new Option('--log-level <level>', 'what is logged on stderr (default: error; of controller: info)').choices([...LOG_LEVELS]).env('PLINTH_LOG_LEVEL'),
  new Option('--kubeconfig <file>', 'work on a cluster: the kubeconfig that names it').env('PLINTH_KUBECONFIG'),
  new Option('--context <name>', 'work on a cluster: the context of the kubeconfig').env('PLINTH_CONTEXT'),
  new Option('-A, --all-namespaces', 'in a cluster: claims of every namespace'),
  new Option('--engine-namespace <name>', 'in a cluster: where Plinth is installed (default: plinth-system)')
    .argParser(namespaceName)
    .env('PLINTH_ENGINE_NAMESPACE'),
];

const ABOUT = 'Claims become real queues, topics, buckets and tables.';
const EXITS = 'Exit codes: 0 done, 1 failed, 2 bad use, 3 drift or changes found, or a change waits for approval.';

/** The program with its commands. `onEnd` is told the exit code of the command that ran. */
export function buildProgram(host: Host, specs: readonly CommandSpec[], onEnd: (code: ExitCode) => void): Command {
  const program = new Command('plinth')
    .description(ABOUT)
    .version(host.version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .helpCommand('help [command]', 'print help of a command')
    .showHelpAfterError('(see --help)')
    .configureHelp({ showGlobalOptions: true, sortSubcommands: false, subcommandTerm: term })
    .exitOverride()
    .addHelpText('after', `\nExamples:\n  plinth up examples/shop --class local\n  plinth status\n  plinth down\n\n${EXITS}`);
  for (const option of globalOptions()) program.addOption(option);
  for (const spec of specs) addCommand(program, host, spec, onEnd);
  return program;
}

const term: Help['subcommandTerm'] = command => `${command.name()} ${command.usage().replace(/^\[options\] ?/, '')}`.trimEnd();

function addCommand(program: Command, host: Host, spec: CommandSpec, onEnd: (code: ExitCode) => void): void {
  const command = program
    .command(spec.usage)
    .summary(spec.summary)
    .description(spec.about ?? spec.summary);
  for (const option of spec.options ?? []) command.addOption(option);
  const exits = spec.exits === undefined ? '' : `\n\nExit codes: ${spec.exits}`;
  command.addHelpText('after', `\nExamples:\n${spec.examples.map(example => `  ${example}`).join('\n')}${exits}`);
  command.action(async (...all: unknown[]) => {
    const args = all
      .slice(0, -2)
      .flat()
      .filter(item => item !== undefined) as string[];
    const options = all.at(-2) as Record<string, unknown>;
    const context = contextOf(host, command.optsWithGlobals<GlobalFlags>());
    onEnd(await guarded(context, () => spec.action(context, args, options)));
  });
}

function contextOf(host: Host, flags: GlobalFlags): Context {
  const globals: Globals = {
    state: flags.state,
    endpoint: flags.endpoint,
    namespace: flags.namespace,
    pollMs: flags.pollInterval,
    workers: flags.workers,
    logLevel: flags.logLevel,
    kubeconfig: flags.kubeconfig,
    context: flags.context,
    allNamespaces: flags.allNamespaces === true,
    engineNamespace: flags.engineNamespace,
  };
  return { host, globals, out: newOutput(flags.output) };
}

/** What is wrong with the command line itself, as against with what it names. */
const BAD_USE = new Set(['BadUse', 'FileNotFound']);

async function guarded(context: Context, action: () => Promise<ExitCode>): Promise<ExitCode> {
  try {
    return await action();
  } catch (error) {
    complain(context.out, error);
    if (!isError(error) && error instanceof Error && error.stack !== undefined)
      process.stderr.write(`${error.stack.split('\n').slice(1).join('\n')}\nThis is a mistake in plinth itself; please report it.\n`);
    return isError(error) && BAD_USE.has(error.code) ? 2 : 1;
  }
}

/** Exit code of what commander ended by itself: help and version are fine, the rest is bad use. */
export function codeOf(error: unknown): ExitCode {
  if (!(error instanceof CommanderError)) throw error;
  return error.exitCode === 0 ? 0 : 2;
}
