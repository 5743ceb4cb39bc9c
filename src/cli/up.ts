/** `plinth up`: makes what is declared real, and says what it did. */
import { EngineError } from '../core/errors.ts';
import type { ClaimKey, JsonObject } from '../core/types.ts';
import { keyOf, keyText, metadataOf } from '../engine/objects.ts';
import { allClaims, clusterKindsOf, inNamespace, putAdmin, putClaims, setClass } from './apply.ts';
import type { EmulatorNote } from './endpoint.ts';
import { type Home, isCluster } from './home.ts';
import type { Context, ExitCode } from './host.ts';
import { type Interrupt, listenForInterrupt } from './interrupt.ts';
import { type Loaded, load, refuse, tellAside } from './load.ts';
import { configsOf, ensureLocal, type Local, localConfigs } from './local.ts';
import { namesOf } from './names.ts';
import { complain, note } from './output.ts';
import { closeProject, openProject, type Project, stateProblems } from './project.ts';
import { missingClaims, recoverClaims } from './recover.ts';
import { type Remembered, remember } from './remember.ts';
import { requestRemoval } from './removal.ts';
import { endRun, startRun, waitForAll } from './run.ts';
import { exitOf, type Summary, snapshot, tellSummary } from './summary.ts';

export interface UpOptions {
  readonly class?: string;
  readonly watch?: boolean;
  readonly prune?: boolean;
  readonly timeoutMs: number;
}

/** Runs the command. Errors: those of loading, of the state folder and of the emulator. */
export async function runUp(context: Context, paths: readonly string[], options: UpOptions): Promise<ExitCode> {
  refuseCluster(context, 'up', 'use `kubectl apply -f` or `helm upgrade --install --wait`; the controller of the cluster does the rest');
  const loaded = await load(context, paths);
  tellAside(context, loaded);
  if (loaded.problems.length > 0) {
    await refuse(context.out, loaded.problems);
    return 1;
  }
  const interrupt = listenForInterrupt();
  const project = await openProject(context, { write: true, create: true });
  try {
    if (refuseState({ context, problems: () => stateProblems(project) })) return 1;
    return await work(project, loaded, options, interrupt);
  } finally {
    await closeProject(project);
    interrupt.dispose();
  }
}

/** BadUse for a command that works on a state folder alone. */
export function refuseCluster({ globals }: Context, name: string, instead: string): void {
  if (isCluster(globals)) throw new EngineError('BadUse', `\`${name}\` works on a state folder, not on a cluster`, { hint: instead });
}

/** True, and said, when files of the state cannot be read. */
export function refuseState(home: Pick<Home, 'context' | 'problems'>): boolean {
  const problems = home.problems();
  for (const problem of problems) complain(home.context.out, problem);
  return problems.length > 0;
}

async function work(project: Project, loaded: Loaded, options: UpOptions, interrupt: Interrupt): Promise<ExitCode> {
  const claims = inNamespace(loaded.claims, project.namespace, clusterKindsOf([...loaded.known, ...loaded.admin]));
  const { undeclared } = await prepare(project, loaded, claims, options);
  const removed = options.prune ? await requestRemoval(project, undeclared, false) : [];
  const before = await snapshot(project);
  const keys = claims.map(keyOf);
  const run = await startRun(project, namesOf([...keys, ...removed], project.namespace));
  const ending = await waitForAll(run, [...keys, ...removed], { timeoutMs: options.timeoutMs, signal: interrupt.signal });
  const summary: Summary = { run, keys, removed, undeclared: options.prune ? [] : undeclared, before, ending };
  if (options.watch && ending !== 'interrupted') return await watch(summary, interrupt);
  await endRun(run);
  await rememberClaims(project);
  return await finish(summary);
}

async function finish(summary: Summary): Promise<ExitCode> {
  if (summary.ending === 'interrupted') return tellInterrupted();
  await tellSummary(summary);
  return exitOf(summary);
}

/** Says that nothing is half done. */
export function tellInterrupted(): ExitCode {
  note('Interrupted. The state is consistent: what was begun is on record. Run the same command again to go on.');
  return 130;
}

/** Shows where things stand, then goes on until it is interrupted. */
async function watch(summary: Summary, interrupt: Interrupt): Promise<ExitCode> {
  await tellSummary(summary);
  note('watching; Ctrl-C ends it');
  await new Promise<void>(resolve => {
    if (interrupt.signal.aborted) resolve();
    interrupt.signal.addEventListener('abort', () => resolve(), { once: true });
  });
  await endRun(summary.run);
  await rememberClaims(summary.run.project);
  note('Stopped. The state is consistent; what was made stays until `plinth down`.');
  return 130;
}

interface Prepared {
  readonly undeclared: readonly JsonObject[];
  readonly local: Local;
}

/** Emulator, admin objects, what was lost, claims: after this everything declared is in the store. */
async function prepare(project: Project, loaded: Loaded, claims: readonly JsonObject[], options: UpOptions): Promise<Prepared> {
  const { store, remembered } = project;
  const objects = [...loaded.known, ...loaded.admin];
  const stored = await allClaims(store);
  const labels = await classLabels(project, loaded);
  const used = configsOf([...claims, ...stored], objects, namespace => options.class ?? labels.get(namespace));
  for (const name of Object.keys(remembered?.configs ?? {})) used.add(name);
  const local = await ensureLocal(project, localConfigs(used, objects).size > 0);
  await putAdmin(store, loaded, local.endpoint);
  if (options.class !== undefined) await setClass(store, [project.namespace, ...claims.map(claim => keyOf(claim).namespace)], options.class);
  await recover(project, claims, local, localConfigs(used, objects));
  await putClaims(store, claims);
  await rememberClaims(project, { configs: await specsOf(project, used), ...(local.emulator === undefined ? {} : { emulator: local.emulator }) });
  const declared = new Set(claims.map(claim => keyText(keyOf(claim))));
  const undeclared = (await allClaims(store)).filter(claim => !declared.has(keyText(keyOf(claim))));
  return { undeclared, local };
}

async function specsOf({ store }: Project, names: Iterable<string>): Promise<Record<string, JsonObject>> {
  const found = await Promise.all([...names].map(async name => [name, (await store.get({ kind: 'ProviderConfig', namespace: '', name }))?.['spec']] as const));
  return Object.fromEntries(found.filter((pair): pair is [string, JsonObject] => pair[1] !== undefined));
}

async function classLabels(project: Project, loaded: Loaded): Promise<Map<string, string | undefined>> {
  const objects = [...(await project.store.list('Namespace')), ...loaded.others.filter(object => object['kind'] === 'Namespace')];
  return new Map(objects.map(object => [String((object['metadata'] as JsonObject)['name']), metadataOf(object).labels?.['plinth.dev/class']]));
}

async function recover(project: Project, claims: readonly JsonObject[], local: Local, locals: ReadonlySet<string>): Promise<void> {
  const missing = await missingClaims(project);
  if (missing.size === 0) return;
  const declared = new Map(claims.map(claim => [keyText(keyOf(claim)), claim]));
  const found: ClaimKey[] = await recoverClaims(project, missing, declared, local.isNew ? locals : new Set());
  if (found.length > 0)
    note(`the state folder had lost ${found.length} ${found.length === 1 ? 'claim' : 'claims'}; found again by the marks on the real things`);
}

/** Writes down outside of the folder what would be needed if the folder were lost. */
export async function rememberClaims(
  project: Project,
  news: { readonly configs?: Remembered['configs']; readonly emulator?: EmulatorNote } = {},
): Promise<void> {
  const { id: instance, project: name } = project.files.instance;
  const claims = Object.fromEntries((await allClaims(project.store)).map(claim => [keyText(keyOf(claim)), metadataOf(claim).uid]));
  const { configs = {}, emulator } = { ...project.remembered, ...news };
  project.remembered = { path: project.folder, instance, project: name, configs, claims, ...(emulator === undefined ? {} : { emulator }) };
  if (!remember(project.folder, project.remembered)) project.engine.log('debug', 'the state home cannot be written');
}
