/** One ClaimDefinition: its CustomResourceDefinition made, kept up to date, left alone or taken away, and the definition told which. */
import { adminCrds, claimCrd, ENGINE_VERSION, upgrade } from '../core/crd.ts';
import { equal } from '../core/digest.ts';
import { EngineError, isError, sentence } from '../core/errors.ts';
import { type Incompatibility, incompatible, incompatibleSchemas } from '../core/incompatible.ts';
import { parseDefinition } from '../core/parse.ts';
import type { ClaimDefinition, JsonObject } from '../core/types.ts';
import type { Api } from '../kube/transport.ts';
import { adminResource, CRDS, deleteCrd, ENVIRONMENT_CRD, forbiddenVerbs, getOne, listClaims, writeAdminStatus, writeCrd } from './definitions-api.ts';
import type { Log } from './engine.ts';
import { claimResource } from './kube-objects.ts';
import { metadataOf } from './objects.ts';

export interface Settling {
  readonly api: Api;
  /** Of this Plinth: what it writes bears it. */
  readonly version: string;
  readonly now: () => string;
  readonly log: Log;
}

/** How soon a CustomResourceDefinition that is not served yet, or is on its way out, is looked at again, ms. */
const SOON_MS = 1_000;
/** What the engine does with claims. */
const VERBS = ['get', 'list', 'watch', 'patch', 'patch/status'];

/**
 * Makes the CustomResourceDefinitions of the admin kinds what this version says; those of a newer one are left alone. To be called before
 * anything else: without them there are no definitions. Errors: those of `request`.
 */
export async function applyAdminCrds({ api, version, log }: Settling): Promise<void> {
  for (const wanted of adminCrds(version)) {
    const { name } = metadataOf(wanted);
    const existing = await getOne(api, CRDS, name);
    const what = upgrade(existing, wanted);
    if (what === 'create' || what === 'update') await writeCrd(api, existing, wanted);
    if (what !== 'same') log('info', `CustomResourceDefinition ${name}: ${what}`, { version });
  }
}

/**
 * Settles one definition, by name. Returns after how many ms it wants to be looked at again; undefined: only when something changes.
 * Errors: those of `request`; StoreConflict when it was written meanwhile.
 */
export async function settleDefinition(settling: Settling, name: string): Promise<number | undefined> {
  const { api, now, log } = settling;
  const object = await getOne(api, adminResource('ClaimDefinition'), name);
  if (object === undefined) return await removeKind(settling, name);
  // Who uses it is told, and its finalizer taken, by definitions-use.ts.
  if (metadataOf(object).deletionTimestamp !== undefined) return undefined;
  const verdict = await judge(settling, object).catch((error: unknown): Verdict => {
    if (!isError(error) || error.retry === 'retryable') throw error;
    return { error };
  });
  const { error, accepted } = verdict;
  const condition =
    error === undefined
      ? ({ type: 'Ready', status: 'True', reason: 'Ready', message: '' } as const)
      : ({ type: 'Ready', status: 'False', reason: error.code, message: sentence(error) } as const);
  const isNews = await writeAdminStatus(api, adminResource('ClaimDefinition'), object, { Ready: condition }, now(), accepted === undefined ? {} : { accepted });
  // That a new kind takes a moment until it is served is no trouble.
  const level = error?.code === 'NoDefinition' ? 'info' : 'warn';
  if (isNews && error !== undefined) log(level, `ClaimDefinition ${name}: ${sentence(error)}`, { reason: error.code });
  return error?.code === 'KindGoing' || error?.code === 'NoDefinition' ? SOON_MS : undefined;
}

/** `accepted`: the spec that is in force from now on; undefined: what was. */
interface Verdict {
  readonly error?: EngineError;
  readonly accepted?: JsonObject;
}

async function judge(settling: Settling, object: JsonObject): Promise<Verdict> {
  const { api, version } = settling;
  const definition = parseDefinition(object);
  const wanted = claimCrd(definition, version);
  const existing = await getOne(api, CRDS, definition.name);
  if (existing !== undefined && metadataOf(existing).deletionTimestamp !== undefined) return { error: going(definition) };
  const what = upgrade(existing, wanted);
  const isAsBefore = equal((object['status'] as JsonObject | undefined)?.['accepted'], object['spec']);
  if (what === 'newer') return isAsBefore ? await admitted(settling, definition, existing!) : { error: newer(existing!, version) };
  const refusal = existing === undefined ? undefined : await refusalOf(settling, object, definition, existing);
  if (refusal !== undefined) return { error: refusal };
  const written = what === 'same' ? existing! : await writeCrd(api, existing, wanted).catch(asMistake);
  const verdict = await admitted(settling, definition, written);
  return { ...verdict, accepted: object['spec'] as JsonObject };
}

/** The API server checks more than we do, the cost of rules above all: what it refuses is a mistake of the definition. */
function asMistake(error: unknown): never {
  if (!isError(error, 'InvalidRequest')) throw error;
  throw new EngineError('InvalidObject', error.message, { hint: 'mend the schema of the definition', cause: error });
}

const going = ({ kind }: ClaimDefinition): EngineError => new EngineError('KindGoing', `the kind ${kind} is being deleted, with all its claims`);

function newer(existing: JsonObject, version: string): EngineError {
  const there = metadataOf(existing).annotations?.[ENGINE_VERSION] ?? '';
  return new EngineError('NewerSchema', `the edit is not taken over: the schema was written by Plinth ${there}, and this is ${version}`);
}

/** Why the edit cannot go through now; undefined when it can, also because there is no claim. */
async function refusalOf({ api }: Settling, object: JsonObject, definition: ClaimDefinition, existing: JsonObject): Promise<EngineError | undefined> {
  const problems = incompatibilities(object, definition, existing);
  const [first] = problems;
  if (first === undefined) return undefined;
  const claims = await listClaims(api, claimResource(definition), 1);
  if (claims.length === 0) return undefined;
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : '';
  return new EngineError('IncompatibleEdit', `${first.message}${more}`, { path: first.path });
}

/** Against what claims were admitted by, and against the contract that was in force. */
function incompatibilities(object: JsonObject, definition: ClaimDefinition, existing: JsonObject): Incompatibility[] {
  const accepted = (object['status'] as JsonObject | undefined)?.['accepted'] as JsonObject | undefined;
  const contract = accepted === undefined ? [] : incompatible(parseDefinition({ ...object, spec: accepted }), definition);
  const served = specSchemaOf(existing);
  const wanted = specSchemaOf(claimCrd(definition, ''));
  const there = (existing['spec'] as JsonObject)['scope'];
  if (there !== definition.scope) return [{ path: 'spec.scope', message: `\`spec.scope\` is ${definition.scope}: the claims there are of scope ${there}` }];
  const schema = served === undefined || wanted === undefined ? [] : incompatibleSchemas(served, wanted);
  const seen = new Set(contract.map(({ message }) => message));
  return [...contract, ...schema.filter(({ message }) => !seen.has(message))];
}

function specSchemaOf(crd: JsonObject): JsonObject | undefined {
  const [version] = (crd['spec'] as JsonObject)['versions'] as unknown as { schema?: { openAPIV3Schema?: { properties?: { spec?: JsonObject } } } }[];
  return version?.schema?.openAPIV3Schema?.properties?.spec;
}

interface CrdCondition {
  readonly type: string;
  readonly status: string;
  readonly message?: string;
}

/** Whether claims of the kind are served, and we may work on them. */
async function admitted({ api }: Settling, definition: ClaimDefinition, crd: JsonObject): Promise<Verdict> {
  const { kind, plural } = definition;
  const conditions = ((crd['status'] as JsonObject | undefined)?.['conditions'] ?? []) as unknown as CrdCondition[];
  const of = (type: string): CrdCondition | undefined => conditions.find(condition => condition.type === type);
  const names = of('NamesAccepted');
  if (names?.status === 'False') return { error: new EngineError('KindTaken', `the names of ${kind} are not free: ${names.message ?? ''}`) };
  if (of('Established')?.status !== 'True') return { error: new EngineError('NoDefinition', `the kind ${kind} is not served yet`, { hint: 'nothing to do' }) };
  const forbidden = await forbiddenVerbs(api, claimResource(definition), VERBS);
  if (forbidden.length === 0) return {};
  const hint = `add ${plural} to claimKinds of the Helm chart, or bind a ClusterRole for it to the service account of the engine`;
  return { error: new EngineError('AccessDenied', `Plinth may not ${forbidden.join(', ')} ${plural}.plinth.dev`, { hint }) };
}

/** The definition is gone: so is its kind, once no claim of it exists. */
async function removeKind({ api, log }: Settling, name: string): Promise<number | undefined> {
  if (name === ENVIRONMENT_CRD) return undefined;
  const crd = await getOne(api, CRDS, name);
  if (crd === undefined || metadataOf(crd).deletionTimestamp !== undefined) return undefined;
  const { kind = '', plural = '' } = (crd['spec'] as JsonObject)['names'] as { kind?: string; plural?: string };
  const claims = await listClaims(api, claimResource({ kind, plural }), 1);
  if (claims.length > 0) {
    log('warn', `ClaimDefinition ${name} is gone, and claims of it exist: the kind stays`, { kind });
    return undefined;
  }
  await deleteCrd(api, crd);
  log('info', `CustomResourceDefinition ${name} deleted: its definition is gone and no claim of it exists`, { kind });
  return undefined;
}
