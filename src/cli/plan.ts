/** `plinth plan`: exactly what `up` would do, as a diff. Looks at what is there; changes nothing. */
import { isOwned } from '../core/match.ts';
import { isMark } from '../core/ownership.ts';
import type { Action, Change, Json, JsonObject, Plan } from '../core/types.ts';
import { closeAll } from '../engine/clients.ts';
import { keyOf, keyText } from '../engine/objects.ts';
import { type Preview, preview } from '../engine/preview.ts';
import type { Context, ExitCode } from './host.ts';
import { load, refuse, tellAside } from './load.ts';
import { approveCommand, namesOf } from './names.ts';
import { type Colours, note, shown, tell } from './output.ts';
import { type Overlay, overlay } from './overlay.ts';

interface Planned {
  readonly name: string;
  readonly preview: Preview;
}

/** Runs the command. Errors: those of loading and of openHome. */
export async function runPlan(context: Context, paths: readonly string[], className: string | undefined): Promise<ExitCode> {
  const loaded = await load(context, paths);
  tellAside(context, loaded);
  if (loaded.problems.length > 0) {
    await refuse(context.out, loaded.problems);
    return 1;
  }
  const over = await overlay(context, loaded, className, true);
  try {
    const planned = await planAll(over);
    await tell(context.out, dataOf(planned, over), () => human(planned, over, context.out.colours));
    if (over.isFresh) note('nothing was made from this state folder yet; names that must be unique in the world (buckets) are decided by the first `up`');
    if (planned.some(({ preview: { error } }) => error !== undefined)) return 1;
    return planned.some(({ preview: { plan } }) => plan?.actions.some(isNews)) ? 3 : 0;
  } finally {
    await closeAll(over.engine.connections);
  }
}

async function planAll({ engine, definitions, claims, namespace }: Overlay): Promise<Planned[]> {
  const names = namesOf(claims.map(keyOf), namespace);
  return await Promise.all(
    claims.map(async claim => {
      const definition = definitions.find(item => item.kind === claim['kind'])!;
      return { name: names.get(keyText(keyOf(claim)))!, preview: await preview(engine, claim, definition) };
    }),
  );
}

/** True for what is more than looking. */
function isNews(action: Action): boolean {
  if (action.kind === 'keep') return action.desired === undefined || action.drift.length > 0;
  if (action.kind === 'wait') return !isOwned(action.entry) || action.entry.phase === 'Intended';
  return true;
}

function dataOf(planned: readonly Planned[], { undeclared }: Overlay): unknown {
  const claims = planned.map(({ name, preview: { plan, error, selection } }) => ({
    claim: name,
    class: selection?.class ?? '',
    composition: selection?.composition ?? '',
    hash: plan?.hash ?? '',
    actions: (plan?.actions ?? []).filter(isNews).map(actionData),
    ...(error === undefined ? {} : { error: { code: error.code, message: error.message, hint: error.hint } }),
  }));
  return { changes: planned.some(item => item.preview.plan?.actions.some(isNews)), claims, undeclared: undeclared.map(object => nameOf(object)) };
}

const nameOf = (object: JsonObject): string => `${String(object['kind'])}/${keyOf(object).name}`;

function actionData(action: Action): JsonObject {
  const { entry, kind } = action;
  const base = { kind, id: entry.id, type: entry.type, ...(isOwned(entry) ? { name: entry.name, scope: entry.scope } : {}) };
  const plain = (value: unknown): Json => JSON.parse(JSON.stringify(value)) as Json;
  if (action.kind === 'create') return { ...base, because: action.because, spec: withoutMarks(action.desired.value) };
  if (action.kind === 'update') return { ...base, changes: plain(action.changes), ...(action.takesBack === true ? { takesBack: true } : {}) };
  if (action.kind === 'keep') return { ...base, ...(action.desired === undefined ? { retires: true } : {}), drift: plain(action.drift) };
  if (action.kind === 'wait') return { ...base, on: action.on, message: action.message };
  if (action.kind === 'blocked') return { ...base, error: { code: action.error.code, message: action.error.message, hint: action.error.hint } };
  if (action.kind === 'move') return { ...base, to: plain(action.to) };
  return action.kind === 'forget' ? { ...base, because: action.because } : base;
}

/** The marks are in everything and would hide the rest. */
function withoutMarks(spec: JsonObject): JsonObject {
  const clean = (value: Json): Json =>
    value !== null && typeof value === 'object' && !Array.isArray(value)
      ? Object.fromEntries(
          Object.entries(value)
            .filter(([key]) => !isMark(key))
            .map(([key, item]) => [key, clean(item)]),
        )
      : value;
  return Object.fromEntries(Object.entries(clean(spec) as JsonObject).filter(([, value]) => !isEmptyMap(value)));
}

const isEmptyMap = (value: Json): boolean => value !== null && typeof value === 'object' && !Array.isArray(value) && Object.keys(value).length === 0;

function human(planned: readonly Planned[], { undeclared, namespace }: Overlay, colours: Colours): string[] {
  const lines = planned.flatMap(item => claimLines(item, namespace, colours));
  const left = [...namesOf(undeclared.map(keyOf), namespace).values()].join(', ');
  const rest = left === '' ? [] : [`No longer declared, and left as they are without --prune: ${left}.`];
  return [...lines, ...rest, totals(planned)];
}

function claimLines({ name, preview: { plan, error, selection } }: Planned, bare: string, colours: Colours): string[] {
  const news = (plan?.actions ?? []).filter(isNews);
  if (news.length === 0 && error === undefined) return [];
  const by = selection === undefined ? '' : colours.dim(`  ${selection.composition}, class ${selection.class}`);
  const wrong = error === undefined ? [] : [colours.red(`  ! ${error.message}; ${error.hint} (${error.code})`)];
  return [`${colours.bold(name)}${by}`, ...wrong, ...news.flatMap(action => actionLines(action, colours)), ...approval(plan, bare), ''];
}

function approval(plan: Plan | undefined, bare: string): string[] {
  return plan === undefined || plan.held.length === 0 ? [] : [`  held: after \`up\`, let it go ahead with \`${approveCommand(plan.claim, plan.hash, bare)}\``];
}

function actionLines(action: Action, colours: Colours): string[] {
  const { entry } = action;
  const thing = isOwned(entry) ? `${entry.type} ${entry.name}` : entry.type;
  const head = `${thing}${colours.dim(`  ${entry.id}`)}`;
  switch (action.kind) {
    case 'create':
      return [colours.green(`  + ${action.because === 'gone' ? 'make again' : 'create'} ${head}`), ...leafLines(withoutMarks(action.desired.value))];
    case 'update':
      return [colours.yellow(`  ~ ${action.takesBack === true ? 'take back' : 'change'} ${head}`), ...action.changes.map(changeLine)];
    case 'delete':
      return [colours.red(`  - delete ${head}`)];
    case 'keep':
      return action.desired === undefined
        ? [colours.red(`  - retire ${head}`)]
        : [colours.yellow(`  ≠ drift, only reported: ${head}`), ...action.drift.map(changeLine)];
    case 'move':
      return [`  → move ${head} to ${action.to.id} (${action.to.config}); the thing itself is not touched`];
    case 'forget':
      return [`  · forget ${head}: ${action.because}`];
    case 'wait':
      return [colours.cyan(`  … ${isOwned(entry) && entry.phase !== 'Intended' ? 'keep' : 'create later'} ${head}: ${action.message}`)];
    case 'blocked':
      return [colours.red(`  ! ${action.error.message} (${action.error.code})`)];
  }
}

const leafLines = (spec: JsonObject): string[] => Object.entries(spec).map(([field, value]) => `      ${field}: ${shown(value)}`);

function changeLine({ path, desired, observed, cause, secret }: Change): string {
  const values = secret ? '(secret)' : `${shown(observed)} → ${shown(desired)}`;
  return `      ${path}: ${values}${cause === 'drift' ? '  (changed outside)' : ''}`;
}

function totals(planned: readonly Planned[]): string {
  const actions = planned.flatMap(item => item.preview.plan?.actions ?? []);
  const failed = planned.filter(item => item.preview.error !== undefined).length;
  const count = (kind: Action['kind']): number => actions.filter(action => action.kind === kind && isNews(action)).length;
  const retiring = actions.filter(action => action.kind === 'keep' && action.desired === undefined).length;
  const parts: [number, string][] = [
    [count('create'), 'to create'],
    [count('wait'), 'to create later'],
    [count('update'), 'to change'],
    [count('delete') + retiring, 'to retire or delete'],
    [count('keep') - retiring, 'only reported'],
    [count('blocked'), 'blocked'],
    [count('move') + count('forget'), 'to move or forget'],
    [failed, `of ${planned.length} claims cannot be planned`],
  ];
  const said = parts.filter(([number]) => number > 0).map(([number, what]) => `${number} ${what}`);
  return said.length === 0 ? 'Nothing to change.' : `${said.join(', ')}.`;
}
