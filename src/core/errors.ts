/** The one error class and the one list of codes. A code is also the condition reason and the anchor in docs/reference/errors.md. */

/** retryable: backs off · waiting: polled, or woken by what it waits for · terminal: only an edit or a person outside can mend it. */
export type Retry = 'retryable' | 'waiting' | 'terminal';
interface Entry {
  readonly retry: Retry;
  /** What it means, for the reference page. */
  readonly means: string;
  /** What to do next; shown as the hint unless the thrower knows better. */
  readonly hint: string;
}

const entry = (retry: Retry, means: string, hint: string): Entry => ({ retry, means, hint });

export const ERRORS = {
  // ── what people write ──
  FileNotFound: entry('terminal', 'A path given on the command line does not exist.', 'check the path'),
  EmptyInput: entry(
    'terminal',
    'The input holds no claim and no other object.',
    'name a folder or file that holds claims; `plinth down KIND/NAME` removes one',
  ),
  InputTooLarge: entry('terminal', 'An input file is larger than 5 MiB.', 'split it, or name the file that holds the claims'),
  NotUtf8: entry('terminal', 'An input file is not UTF-8 text.', 'save it as UTF-8'),
  InvalidYaml: entry('terminal', 'A document cannot be parsed as YAML.', 'mend the YAML at the position given'),
  InvalidObject: entry('terminal', 'An object lacks apiVersion, kind or metadata.name, or a field of it is wrong.', 'mend the field named'),
  UnknownKind: entry('terminal', 'No ClaimDefinition makes this kind, and it is not one of the admin kinds.', 'check the spelling, or add a ClaimDefinition'),
  DuplicateObject: entry('terminal', 'Two documents declare the same object.', 'remove one of them'),
  InvalidClaim: entry('terminal', 'A claim does not fit the schema of its kind.', 'mend the field named'),
  ImmutableField: entry('terminal', 'A field that cannot change was changed.', 'put the old value back, or make a new claim'),
  ChartFailed: entry('terminal', '`helm template` failed for a chart given as path.', 'run the helm command named to see the whole message'),
  // ── choosing and compiling ──
  NoDefinition: entry('waiting', 'The ClaimDefinition of this kind is gone.', 'apply the definition again'),
  NoClass: entry(
    'waiting',
    'No EnvironmentClass applies to the namespace, and none is the default.',
    'label the namespace with plinth.dev/class (`plinth up --class` does), or mark a class as default',
  ),
  TwoDefaultClasses: entry('waiting', 'More than one EnvironmentClass is marked default.', 'keep one default'),
  NoImplementation: entry('waiting', 'The class does not say how this claim kind is provided.', 'add an implementation for the kind to the class'),
  AmbiguousImplementation: entry('waiting', 'The class has two implementations for one claim kind.', 'keep one of them'),
  NotAllowed: entry('terminal', 'The claim chooses something that its class does not allow.', 'remove the choice, or ask the admin of the class to allow it'),
  NoComposition: entry('waiting', 'The composition that the class names does not exist.', 'apply the composition, or correct the class'),
  NoProviderConfig: entry(
    'waiting',
    'A ProviderConfig that is needed does not exist, or the class names none for a family.',
    'apply the ProviderConfig, or name it in the class under configs',
  ),
  UnknownProvider: entry('waiting', 'A ProviderConfig names a provider that does not exist.', 'use one of the providers listed by `plinth doctor`'),
  InvalidComposition: entry(
    'waiting',
    'A composition has a mistake: a wrong field, a wrong type, an unknown name.',
    'mend the composition at the position given',
  ),
  InvalidExpression: entry('waiting', 'A `${…}` cannot be parsed or does not fit what it is used for.', 'mend the expression at the position given'),
  Cycle: entry('waiting', 'Resources of a composition need each other in a circle.', 'break the circle: one of the reads must go'),
  MissingConnectionKey: entry('waiting', 'A composition does not produce a key that the claim kind promises.', 'add the key under connection'),
  SecretMisuse: entry('waiting', 'A secret flows to a place that is not secret.', 'use .secret only in connection or in fields marked secret'),
  TooComplex: entry('waiting', 'An expression or a composition goes past a limit that keeps reconciles fast.', 'simplify it'),
  EvaluationFailed: entry(
    'waiting',
    'An expression failed while it was evaluated, e.g. division by zero or a duplicate forEach key.',
    'mend the expression or the claim value it reads',
  ),
  InvalidSpec: entry('terminal', 'A rendered resource does not fit the schema of its type.', 'check the claim value or parameter that leads to this field'),
  // ── waiting for others ──
  Paused: entry('waiting', 'The annotation plinth.dev/paused is set: nothing is looked at or touched.', 'take the annotation away to go on'),
  WaitingForReference: entry('waiting', 'A referred claim is missing or not ready.', 'create the claim, or look at it with `plinth trace`'),
  WaitingForEnvironment: entry(
    'waiting',
    'There is an Environment of the name of the namespace, and it has not told yet whether it made it.',
    'look at the Environment with `kubectl describe environment NAME`',
  ),
  WaitingForResource: entry('waiting', 'A resource of the claim is not there or not ready yet.', 'nothing to do; `plinth trace` shows progress'),
  // ── identity and ownership ──
  Conflict: entry('terminal', 'Something of that name exists and is not ours.', 'rename the claim, remove the thing, or let the class allow to adopt it'),
  NotAdoptable: entry(
    'terminal',
    'A thing to adopt is missing, not allowed by the class, or owned by someone else.',
    'check the name under lifecycle.adopt and the class under allow.adopt',
  ),
  ScopeChanged: entry(
    'waiting',
    'The ProviderConfig now reaches another account, region or server than the one that holds the thing.',
    'put the config back, or approve the move with `plinth approve`',
  ),
  MarksGone: entry(
    'terminal',
    'A thing we made no longer bears our marks, so it is not touched.',
    'put the plinth.dev tags back, or let it go with `plinth abandon`',
  ),
  Lost: entry(
    'terminal',
    'A thing that held data or a backlog is gone. It is not made again silently.',
    'restore it, or run `plinth recreate KIND/NAME` to start with an empty one',
  ),
  SwapPending: entry(
    'waiting',
    'A change would delete or replace something that holds data or a backlog.',
    'look with `plinth plan`, then `plinth approve KIND/NAME --plan HASH`',
  ),
  SwapRefused: entry('terminal', 'A change would replace something, and the class refuses swaps.', 'put the old value back, or ask the admin of the class'),
  ObserveOnly: entry(
    'waiting',
    'The claim says `management: ObserveOnly`, so what it asks for is not done.',
    'take lifecycle.management out of the claim to let Plinth change things again',
  ),
  // ── drift ──
  Drifted: entry(
    'waiting',
    'Something was changed outside, and the claim asks only to report it.',
    'put the value back outside, or set lifecycle.drift: Correct',
  ),
  NotConverging: entry(
    'waiting',
    'The service accepts our value and keeps answering another one.',
    'check whether the service supports the value; list the path under lifecycle.ignore',
  ),
  Contested: entry(
    'waiting',
    'The same field was corrected three times within an hour: something else keeps changing it.',
    'find the other writer; list the path under lifecycle.ignore',
  ),
  // ── from providers ──
  NotFound: entry('retryable', 'The thing does not exist. Providers throw it; the engine reads it as absent.', 'nothing to do'),
  AlreadyExists: entry('retryable', 'The thing exists already. Providers throw it from create; the next look says whose it is.', 'nothing to do'),
  DependencyMissing: entry('waiting', 'The call names another thing that does not exist (yet).', 'nothing to do if it is being made; else check the value'),
  InvalidCredentials: entry('waiting', 'The provider does not accept the credentials, or there are none.', 'check the credentials of the ProviderConfig'),
  AccessDenied: entry('waiting', 'The credentials lack a permission.', 'grant the permission for the operation named'),
  Throttled: entry('retryable', 'The provider asks for fewer calls.', 'nothing to do; calls are spaced out'),
  Timeout: entry('retryable', 'The provider did not answer in time.', 'check that the endpoint is alive'),
  Unreachable: entry('retryable', 'No connection to the provider.', 'check the endpoint and the network'),
  ServiceError: entry('retryable', 'The provider failed on its side.', 'nothing to do; it is tried again'),
  ProviderFailure: entry('retryable', 'An error of the provider that Plinth does not know.', 'look at the log; report it if it stays'),
  Aborted: entry('retryable', 'The call was given up because the run ended.', 'nothing to do; run again'),
  InvalidRequest: entry('terminal', 'The provider refuses the values.', 'mend the value named'),
  QuotaExceeded: entry('waiting', 'A limit of the account is reached.', 'ask for a higher quota, or remove what is not needed'),
  NameNotReleased: entry(
    'waiting',
    'The name was used until a moment ago and is not free yet.',
    'nothing to do; SQS frees names after 60 s, S3 after minutes to hours',
  ),
  NameTaken: entry('terminal', 'The name is used by another account.', 'rename the claim, or change the naming of the class'),
  Busy: entry('waiting', 'The thing is being changed; the provider takes one change at a time.', 'nothing to do'),
  NotEmpty: entry(
    'terminal',
    'The thing still holds data and purge is not asked for.',
    'empty it, or let the class set purgeOnDelete, or run `plinth abandon KIND/NAME`',
  ),
  Purging: entry('waiting', 'What the thing holds is being removed before it is deleted.', 'nothing to do'),
  Protected: entry('terminal', 'Deletion protection is on.', 'turn deletion protection off, or run `plinth abandon KIND/NAME`'),
  Unsupported: entry('terminal', 'What is connected does not implement the call.', 'use another endpoint or another composition'),
  // ── kinds in a cluster ──
  IncompatibleEdit: entry(
    'waiting',
    'An edit of a ClaimDefinition is not taken over: claims that exist would become wrong or lose what they hold.',
    'put the old text back, or make a new kind; without claims the edit goes through',
  ),
  NewerSchema: entry(
    'waiting',
    'The CustomResourceDefinition was written by a newer Plinth, and an older one leaves it alone.',
    'run the newer version, or delete the CustomResourceDefinition while no claim exists',
  ),
  InUse: entry('waiting', 'Something is to be deleted while claims use it: it goes when they do.', 'delete the claims named, or give them another'),
  KindTaken: entry('waiting', 'Another CustomResourceDefinition has the kind, the plural or a short name already.', 'choose other names for the claim kind'),
  ClaimsExist: entry(
    'terminal',
    'Plinth is to be uninstalled while claims exist: nobody would look after what they made, or delete it.',
    'delete the claims and wait until they are gone; `kubectl get claims -A` lists them',
  ),
  KindGoing: entry(
    'waiting',
    'The CustomResourceDefinition of a claim kind is being deleted: its claims go with it, and what they made is kept and named.',
    'nothing to do; the definition makes the kind again when it is gone',
  ),
  // ── the store ──
  StoreConflict: entry('retryable', 'The object was changed by someone else in between.', 'nothing to do; it is tried again'),
  StoreUnavailable: entry('retryable', 'The state cannot be read or written.', 'check the disk and the permissions of the state folder'),
  StateMissing: entry('terminal', 'There is no state folder at the path.', '`plinth up` makes one; or name it with --state DIR'),
  StateLocked: entry('terminal', 'Another run works on the same state folder.', 'wait for it or stop it, or use --state DIR'),
  StateCorrupt: entry('terminal', 'A file of the state folder cannot be read.', 'put it back, or remove it: the inventory is rebuilt from marks'),
  StateNewer: entry('terminal', 'The state folder was written by a newer version.', 'use that version or a newer one'),
  KeptData: entry(
    'terminal',
    'The emulator that `plinth up` started still holds what was kept, and would take it along.',
    '`plinth down --discard-kept` stops it with all that it holds',
  ),
  StateReadOnly: entry('terminal', 'The state folder cannot be written.', 'make it writable, or use --state DIR'),
  // ── several engines ──
  LeaseLost: entry('retryable', 'The lease of this replica is not held, or not for as long as a call may take.', 'nothing to do; another replica goes on'),
  LeaseHeld: entry('terminal', 'Another controller holds the lease, and election is switched off.', 'stop the other one, or leave out --leader-elect=false'),
  // ── the cluster ──
  NoCluster: entry('terminal', 'No cluster is named: there is no kubeconfig, and this is no pod.', 'name one with --kubeconfig FILE or KUBECONFIG'),
  TwoInstallations: entry('terminal', 'Plinth is installed twice in one cluster, in two namespaces.', 'stop one of them'),
  NotInstalled: entry(
    'terminal',
    'The cluster lacks what Plinth needs there: its kinds, or the namespace of the engine.',
    'run `plinth install`, or install the Helm chart',
  ),
  // ── the command line ──
  BadUse: entry('terminal', 'The command line is wrong.', 'see --help'),
  NoSuchClaim: entry('terminal', 'There is no such claim in the state.', '`plinth status` lists the claims'),
  MissingPart: entry('terminal', 'A program that is needed is not on this machine.', 'see `plinth doctor`'),
  TimedOut: entry(
    'retryable',
    'Not everything became ready within --timeout.',
    'run again: it goes on where it stopped; `plinth status` shows what is missing',
  ),
} as const satisfies Record<string, Entry>;

export type ErrorCode = keyof typeof ERRORS;

/**
 * The only error class of the engine. `message`: what is wrong and where, one line, the same on every retry, no secrets.
 * `offset`: characters into the text at `path`, for positions inside an expression.
 */
export class EngineError extends Error {
  override readonly name = 'EngineError';
  readonly code: ErrorCode;
  readonly retry: Retry;
  readonly hint: string;
  readonly path: string;
  readonly offset: number;

  constructor(
    code: ErrorCode,
    message: string,
    extra: { readonly hint?: string; readonly path?: string; readonly offset?: number; readonly cause?: unknown; readonly retry?: Retry } = {},
  ) {
    super(message, { cause: extra.cause });
    this.code = code;
    this.retry = extra.retry ?? ERRORS[code].retry;
    this.hint = extra.hint ?? ERRORS[code].hint;
    this.path = extra.path ?? '';
    this.offset = extra.offset ?? 0;
  }
}

/** True for an EngineError, of this code when one is named. */
export function isError(error: unknown, code?: ErrorCode): error is EngineError {
  return error instanceof EngineError && (code === undefined || error.code === code);
}

/** The message and the hint as one line: what is wrong, where, what to do next. */
export function sentence(error: EngineError): string {
  return error.hint === '' ? error.message : `${error.message}; ${error.hint}`;
}
