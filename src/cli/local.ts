/** What configs without an endpoint reach: --endpoint, or an emulator of the project's own. */
import { NO_ENVIRONMENT } from '../core/environment.ts';
import { isError } from '../core/errors.ts';
import { ownClass } from '../core/own-class.ts';
import { parseClaim, parseClass, parseConfig, parseDefinition } from '../core/parse.ts';
import { select } from '../core/selection.ts';
import type { EnvironmentClass, JsonObject } from '../core/types.ts';
import { keyOf } from '../engine/objects.ts';
import { type LocalEndpoint, lacksEndpoint, withEndpoint } from './apply.ts';
import { type EmulatorNote, ensureEmulator } from './endpoint.ts';
import { note } from './output.ts';
import { emulatorNote, type Project } from './project.ts';
import { statusOf } from './standing.ts';

export interface Local {
  readonly endpoint: LocalEndpoint | undefined;
  readonly emulator: EmulatorNote | undefined;
  /** The emulator was started by this run: whatever an earlier one held is gone. */
  readonly isNew: boolean;
}

/** The endpoint as far as it is known without starting anything. */
export function knownLocal(project: Pick<Project, 'folder' | 'remembered' | 'files' | 'context'>): LocalEndpoint | undefined {
  const { endpoint } = project.context.globals;
  if (endpoint !== undefined) return { endpoint, instance: undefined };
  const emulator = emulatorNote(project);
  return emulator === undefined ? undefined : { endpoint: emulator.endpoint, instance: project.files.instance.id };
}

/** Starts the project's emulator when one of the configs needs it and none was named. */
export async function ensureLocal(project: Project, isNeeded: boolean): Promise<Local> {
  const known = emulatorNote(project);
  if (project.context.globals.endpoint !== undefined || !isNeeded) return { endpoint: knownLocal(project), emulator: known, isNew: false };
  const { note: emulator, isNew } = await ensureEmulator(project.folder, known, note);
  if (isNew) note(`started an AWS emulator at ${emulator.endpoint} (process ${emulator.pid})`);
  return { endpoint: { endpoint: emulator.endpoint, instance: project.files.instance.id }, emulator, isNew };
}

/** The emulator that the project has, started again when it does not answer; configs that name it follow it to a new port. */
export async function findLocal(project: Project): Promise<Local> {
  const local = await ensureLocal(project, emulatorNote(project) !== undefined);
  const { endpoint } = local;
  if (endpoint === undefined) return local;
  for (const object of await project.store.list('ProviderConfig')) {
    const { settings } = object['spec'] as { settings?: JsonObject };
    const isOurs = settings?.['instance'] === project.files.instance.id;
    if (!isOurs || settings?.['endpoint'] === endpoint.endpoint) continue;
    await project.store.put(
      withEndpoint({ apiVersion: object['apiVersion']!, kind: 'ProviderConfig', metadata: { name: keyOf(object).name }, spec: object['spec']! }, endpoint),
    );
  }
  return local;
}

/** Names of the configs that the claims use by their classes, and of those through which something was made before. */
export function configsOf(claims: readonly JsonObject[], objects: readonly JsonObject[], classOf: (namespace: string) => string | undefined): Set<string> {
  const byKind = (kind: string): JsonObject[] => objects.filter(object => object['kind'] === kind);
  const classes = byKind('EnvironmentClass').flatMap(object => attempt(() => parseClass(object)));
  const definitions = byKind('ClaimDefinition').flatMap(object => attempt(() => parseDefinition(object)));
  const names = new Set<string>();
  for (const object of claims) {
    const definition = definitions.find(item => item.kind === object['kind']);
    const [claim] = definition === undefined ? [] : attempt(() => parseClaim(object, definition));
    if (claim === undefined) continue;
    for (const name of chosenConfigs(claim, classes, claim.namespace === '' ? ownClass(claim) : classOf(claim.namespace))) names.add(name);
    for (const entry of statusOf(object).resources) names.add(entry.config);
  }
  return names;
}

function chosenConfigs(claim: Parameters<typeof select>[0], classes: readonly EnvironmentClass[], label: string | undefined): string[] {
  const [selection] = attempt(() => select(claim, classes, { class: label, environment: NO_ENVIRONMENT }));
  return Object.values(selection?.configs ?? {});
}

function attempt<T>(action: () => T): T[] {
  try {
    return [action()];
  } catch (error) {
    if (isError(error)) return [];
    throw error;
  }
}

/** Those of the configs that reach an emulator which they do not name. */
export function localConfigs(names: ReadonlySet<string>, objects: readonly JsonObject[]): Set<string> {
  const found = objects.filter(object => object['kind'] === 'ProviderConfig' && lacksEndpoint(object)).map(object => parseConfig(object).name);
  return new Set(found.filter(name => names.has(name)));
}
