/** Tells admins, on what they wrote, whether it can be used: a mistake shows with kubectl, before a claim meets it. */
import { adminProblems } from '../core/admin-problems.ts';
import { type EngineError, sentence } from '../core/errors.ts';
import type { AdminKind } from '../core/kinds.ts';
import type { JsonObject, Provider } from '../core/types.ts';
import { loadDefinitions } from './catalogue.ts';
import { type AdminCondition, adminResource, writeAdminStatus } from './definitions-api.ts';
import type { Settling } from './definitions-settle.ts';
import { metadataOf } from './objects.ts';
import type { Store } from './store.ts';

/** Judges every Composition, EnvironmentClass and ProviderConfig and writes what is new. Errors: those of `request`, the first after all were tried. */
export async function judgeAdmin(settling: Settling, store: Store, providers: ReadonlyMap<string, Provider>): Promise<void> {
  const [definitions, compositions, classes, configs] = await Promise.all([
    loadDefinitions(store),
    store.list('Composition'),
    store.list('EnvironmentClass'),
    store.list('ProviderConfig'),
  ]);
  const failures: unknown[] = [];
  for (const [object, problems] of adminProblems({ definitions, compositions, classes, configs, providers })) {
    await tell(settling, store, object, problems).catch((error: unknown) => failures.push(error));
  }
  if (failures.length > 0) throw failures[0];
}

async function tell({ api, now }: Settling, store: Store, object: JsonObject, problems: readonly EngineError[]): Promise<void> {
  const kind = object['kind'] as AdminKind;
  const condition = verdict(problems);
  const isNews = await writeAdminStatus(api, adminResource(kind), object, { Ready: condition }, now());
  if (!isNews || condition.status === 'True') return;
  store.emit({ kind, namespace: '', name: metadataOf(object).name }, { type: 'Warning', reason: condition.reason, message: condition.message });
}

function verdict([first, ...others]: readonly EngineError[]): AdminCondition {
  if (first === undefined) return { type: 'Ready', status: 'True', reason: 'Ready', message: '' };
  const more = others.length === 0 ? '' : ` (and ${others.length} more)`;
  return { type: 'Ready', status: 'False', reason: first.code, message: `${sentence(first)}${more}` };
}
