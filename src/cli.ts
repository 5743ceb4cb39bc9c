/** The commands, each with its help; the code of a command is loaded when it runs. */
import { Option } from 'commander';
import type { ExitCode, Host } from './cli/host.ts';
import { waitTime, wholeNumber } from './cli/numbers.ts';
import { buildProgram, type CommandSpec, codeOf } from './cli/program.ts';

const classOption = new Option(
  '--class <name>',
  'environment class of the namespaces, e.g. local (shipped: local, aws, and demo for queues alone); it stays until another is named',
).env('PLINTH_CLASS');
const timeout = (): Option =>
  new Option('--timeout <time>', 'how long to wait, e.g. 90s; 0: look once and do not wait').argParser(waitTime).default(300_000, '5m').env('PLINTH_TIMEOUT');
const PATHS = 'PATH is a file, a folder of YAML or JSON files, a Helm chart, or - for standard input.';
const CLUSTER = 'With --kubeconfig or --context it looks at a cluster: at the namespace of the context, at another with -n, at all with -A.';
const ASKED = 'With --kubeconfig or --context it asks the controller of a cluster, and waits until that has done it.';
const flag = (options: Readonly<Record<string, unknown>>, name: string): boolean => options[name] === true;
const text = (options: Readonly<Record<string, unknown>>, name: string): { readonly [key: string]: string } =>
  typeof options[name] === 'string' ? { [name]: options[name] } : {};

const COMMANDS: readonly CommandSpec[] = [
  {
    usage: 'up <path...>',
    summary: 'make what is declared real, and keep it right',
    about: `Makes what the claims declare real, mends what was changed outside, and returns when everything is ready.\n${PATHS}\nOn a laptop only: in a cluster \`kubectl apply\` or \`helm upgrade --install --wait\` does it.`,
    options: [
      classOption,
      new Option('--watch', 'keep reconciling until Ctrl-C'),
      new Option('--prune', 'also delete claims that are in the state and no longer declared, with what they hold'),
      timeout(),
    ],
    examples: [
      'plinth up examples/shop --class local',
      'helm template shop ./chart | plinth up - --class local',
      'plinth up claims/ --prune',
      'plinth up claims/ --watch',
    ],
    exits: '0 all ready, 1 not all ready or nothing applied, 2 bad use, 3 a change waits for approval or drift is only reported.',
    action: async (context, paths, options) =>
      (await import('./cli/up.ts')).runUp(context, paths, {
        ...text(options, 'class'),
        watch: flag(options, 'watch'),
        prune: flag(options, 'prune'),
        timeoutMs: options['timeout'] as number,
      }),
  },
  {
    usage: 'down [claim]',
    summary: 'delete all claims, or one (KIND/NAME), and what they made',
    about:
      'Deletes all claims, or one, with what they made; stops the emulator that `up` started when nothing is left.\nWhat was kept there (--keep-data, deletion: Retain) keeps the emulator running, until --discard-kept.\nOn a laptop only: in a cluster `kubectl delete` or `helm uninstall` does it.',
    options: [
      new Option('--keep-data', 'leave what holds data where it is'),
      new Option('--discard-kept', 'stop the emulator although it holds what was kept before: that is gone for good'),
      timeout(),
    ],
    examples: ['plinth down', 'plinth down Queue/orders', 'plinth down --keep-data', 'plinth down --discard-kept'],
    exits: '0 done, 1 not everything is gone, or the emulator holds what was kept, 2 bad use.',
    action: async (context, [claim], options) =>
      (await import('./cli/down.ts')).runDown(context, claim, {
        keepData: flag(options, 'keepData'),
        discardKept: flag(options, 'discardKept'),
        timeoutMs: options['timeout'] as number,
      }),
  },
  {
    usage: 'status',
    summary: 'all claims at a glance',
    about: `All claims at a glance.\n${CLUSTER}`,
    examples: ['plinth status', 'plinth status --output json', 'plinth status --context dev -A'],
    exits: '0 done, 1 failed, 2 bad use, 3 a change waits for approval, or something was changed outside and is not mended.',
    action: async context => (await import('./cli/status.ts')).runStatus(context),
  },
  {
    usage: 'trace <claim>',
    summary: 'one claim (KIND/NAME) with its resources, what is waited for, drift and events',
    about: `One claim (KIND/NAME) with its resources, what is waited for, drift and events.\n${CLUSTER}`,
    examples: ['plinth trace Queue/orders', 'plinth trace q/orders --output yaml', 'plinth trace Queue/orders --context dev -n shop'],
    action: async (context, [claim]) => (await import('./cli/trace.ts')).runTrace(context, claim!),
  },
  {
    usage: 'validate <path...>',
    summary: 'all that is wrong with files, with positions; nothing is applied',
    about: `Finds all that is wrong with the input, in the words of \`up\`. Nothing is applied or contacted.\n${PATHS}`,
    examples: ['plinth validate claims/', 'helm template shop ./chart | plinth validate -'],
    action: async (context, paths) => (await import('./cli/validate.ts')).runValidate(context, paths),
  },
  {
    usage: 'render <path...>',
    summary: 'the resources that claims become, offline',
    about: `Shows the resources that the claims become in a class. Nothing is contacted: what only a running service knows stays open.\n${PATHS}`,
    options: [classOption],
    examples: ['plinth render examples/shop --class local', 'plinth render queue.yaml --class aws --output json'],
    action: async (context, paths, options) => (await import('./cli/render.ts')).runRender(context, paths, text(options, 'class')['class']),
  },
  {
    usage: 'plan <path...>',
    summary: 'what `up` would do, as a diff',
    about: `Looks at what is there and shows exactly the plan that \`up\` would apply. Nothing is changed.\n${PATHS}\n${CLUSTER} There an admin object, e.g. a class, is planned for every claim that it touches.`,
    options: [classOption],
    examples: ['plinth plan examples/shop', 'plinth plan claims/ --class aws'],
    exits: '0 nothing to change, 1 failed, 2 bad use, 3 there are changes.',
    action: async (context, paths, options) => (await import('./cli/plan.ts')).runPlan(context, paths, text(options, 'class')['class']),
  },
  {
    usage: 'explain <claim>',
    summary: 'why a claim (KIND/NAME) is provided the way it is',
    about: `Why a claim (KIND/NAME) is provided the way it is.\n${CLUSTER}`,
    examples: ['plinth explain Queue/orders'],
    action: async (context, [claim]) => (await import('./cli/explain.ts')).runExplain(context, claim!),
  },
  {
    usage: 'approve <claim>',
    summary: 'let a held change of a claim (KIND/NAME) go ahead',
    about: `Let a held change of a claim (KIND/NAME) go ahead.\n${ASKED}`,
    options: [new Option('--plan <hash>', 'hash of the plan, as `status` and `trace` show it').makeOptionMandatory(), timeout()],
    examples: ['plinth approve Queue/orders --plan 3f9c2a…'],
    action: async (context, [claim], options) =>
      (await import('./cli/verbs.ts')).runApprove(context, claim!, options['plan'] as string, options['timeout'] as number),
  },
  {
    usage: 'recreate <claim>',
    summary: 'make lost things of a claim (KIND/NAME) again, empty',
    about: `Make lost things of a claim (KIND/NAME) again, empty.\n${ASKED}`,
    options: [timeout()],
    examples: ['plinth recreate Table/customers'],
    action: async (context, [claim], options) => (await import('./cli/verbs.ts')).runRecreate(context, claim!, options['timeout'] as number),
  },
  {
    usage: 'abandon <claim>',
    summary: 'delete a claim (KIND/NAME) and leave behind what cannot be deleted',
    about: `Delete a claim (KIND/NAME) and leave behind what cannot be deleted.\n${ASKED}`,
    options: [timeout()],
    examples: ['plinth abandon Bucket/invoices'],
    action: async (context, [claim], options) => (await import('./cli/verbs.ts')).runAbandon(context, claim!, options['timeout'] as number),
  },
  {
    usage: 'orphans',
    summary: 'real things with our marks that no claim owns',
    about: `Real things with our marks that no claim owns.\n${CLUSTER}`,
    examples: ['plinth orphans', 'plinth orphans --output json'],
    exits: '0 none, 1 failed, 2 bad use, 3 there are some.',
    action: async context => (await import('./cli/orphans.ts')).runOrphans(context),
  },
  {
    usage: 'doctor',
    summary: 'what is here, what is missing, and how to get it',
    about: `What is here, what is missing, and how to get it.\n${CLUSTER}`,
    examples: ['plinth doctor', 'plinth doctor --context dev'],
    action: async context => (await import('./cli/doctor.ts')).runDoctor(context),
  },
  {
    usage: 'controller',
    summary: 'keep the claims of a cluster right, until it is stopped',
    about: `Runs the engine of a cluster, in a pod or beside it. Several may run: one works and the others wait, or they share (--sharding).
Without --kubeconfig and --context it takes KUBECONFIG, the user's own kubeconfig, or the pod's service account. -n names the namespace of the engine.`,
    options: [
      new Option('--instance <name>', 'name in the marks of what is made; kept once it was decided (default: plinth)').env('PLINTH_INSTANCE'),
      new Option('--leader-elect [boolean]', 'wait for the lease; with false take it or fail')
        .choices(['true', 'false'])
        .default('true')
        .preset('true')
        .env('PLINTH_LEADER_ELECT'),
      new Option('--sharding [boolean]', 'share the namespaces with other replicas')
        .choices(['true', 'false'])
        .default('false')
        .preset('true')
        .env('PLINTH_SHARDING'),
      new Option('--metrics-address <host:port>', 'where /healthz, /readyz and /metrics are served, or off')
        .default('127.0.0.1:8080')
        .env('PLINTH_METRICS_ADDRESS'),
    ],
    examples: ['plinth controller --kubeconfig ~/.kube/config --context dev', 'plinth controller --sharding --workers 32 --metrics-address 0.0.0.0:8080'],
    exits: '0 stopped as asked, 1 failed, 2 bad use, 130 stopped at once.',
    action: async (context, _, options) =>
      (await import('./cli/controller.ts')).runController(context, {
        ...text(options, 'instance'),
        leaderElect: options['leaderElect'] === 'true',
        sharding: options['sharding'] === 'true',
        metricsAddress: options['metricsAddress'] as string,
      }),
  },
  {
    usage: 'install',
    summary: 'install Plinth in a cluster, or upgrade it',
    about: `Applies the same objects as the Helm chart: kinds, engine, roles, policies, and the compositions that come with it.
Without --kubeconfig and --context it takes KUBECONFIG or the user's own kubeconfig.`,
    options: [
      new Option('--image <ref>', 'where the image was pushed to, with its tag').makeOptionMandatory().env('PLINTH_IMAGE'),
      new Option('--replicas <n>', 'engines: one works, the others wait to take over').argParser(wholeNumber).default(2),
      new Option('--kind <plural...>', 'claim kinds of your own that the engine and tenants may use'),
      new Option('--environments', 'let the engine make and delete namespaces for Environments, and give people roles there'),
      new Option('--no-defaults', 'without definitions, compositions and the class for AWS'),
      new Option('--dry-run', 'only print the objects; -o yaml prints them whole'),
    ],
    examples: ['plinth install --image plinth:0.1.0', 'plinth install --image plinth:0.1.0 --dry-run -o yaml'],
    action: async (context, _, options) =>
      (await import('./cli/install.ts')).runInstall(context, {
        image: options['image'] as string,
        replicas: options['replicas'] as number,
        kinds: (options['kind'] ?? []) as string[],
        environments: flag(options, 'environments'),
        defaults: options['defaults'] !== false,
        dryRun: flag(options, 'dryRun'),
      }),
  },
  {
    usage: 'uninstall',
    summary: 'take Plinth out of a cluster in which no claim exists',
    options: [new Option('--kinds', 'the kinds too, with all definitions, compositions, classes and configs')],
    examples: ['plinth uninstall', 'plinth uninstall --kinds'],
    exits: '0 done, 1 failed or claims exist, 2 bad use.',
    action: async (context, _, options) => (await import('./cli/uninstall.ts')).runUninstall(context, { kinds: flag(options, 'kinds') }),
  },
  {
    usage: 'completion <shell>',
    summary: 'completion script for bash, zsh or fish',
    examples: [
      'source <(plinth completion bash)',
      'plinth completion zsh > ~/.zfunc/_plinth',
      'plinth completion fish > ~/.config/fish/completions/plinth.fish',
    ],
    action: async (_, [shell]) => (await import('./cli/completion.ts')).runCompletion(shell!, COMMANDS),
  },
];

/** Runs one command line and returns its exit code. */
export async function run(args: readonly string[], host: Host): Promise<ExitCode> {
  process.stdout.on('error', endOfPipe);
  let code: ExitCode = 0;
  const program = buildProgram(host, COMMANDS, result => {
    code = result;
  });
  try {
    if (args.length === 0) program.outputHelp();
    else await program.parseAsync(args, { from: 'user' });
    return args.length === 0 ? 2 : code;
  } catch (error) {
    return codeOf(error);
  }
}

/** Whoever read the output has gone, e.g. `| head`: that is no failure. */
function endOfPipe(error: NodeJS.ErrnoException): void {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
}
