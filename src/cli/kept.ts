/** What was kept in the emulator of a project. That holds everything in its memory: with its process all of it is gone. */
import { EngineError, isError } from '../core/errors.ts';
import { API_VERSION } from '../core/kinds.ts';
import { parseConfig } from '../core/parse.ts';
import type { JsonObject, ProviderConfig } from '../core/types.ts';
import { connectFor } from '../engine/links.ts';
import { findOwned } from '../engine/rebuild.ts';
import { isProcessAlive } from './emulator.ts';
import type { EmulatorNote } from './endpoint.ts';
import { command } from './names.ts';
import type { Project } from './project.ts';

/** `type name` of everything with our marks in the emulator, which no claim owns any more. KeptData when that cannot be told. */
export async function keptIn(project: Project, emulator: EmulatorNote): Promise<string[]> {
  if (!isProcessAlive(emulator.pid, emulator.startTime)) return [];
  const nobody = { kind: '', namespace: project.namespace, name: '', spec: {} };
  const found = new Set<string>();
  for (const config of await configsThrough(project, emulator)) {
    try {
      const connection = await connectFor(project.engine, nobody, config);
      for (const { type, name } of await findOwned(project.engine, connection, config.name)) found.add(`${type} ${name}`);
    } catch (error) {
      if (!isError(error)) throw error;
      throw stays(`whether something was kept in the emulator at ${emulator.endpoint} cannot be told: ${error.message}`, error);
    }
  }
  return [...found].sort();
}

/** The refusal to stop the emulator while it holds what was kept. */
export function keptError(emulator: EmulatorNote, kept: readonly string[]): EngineError {
  return stays(`what was kept lives in the emulator at ${emulator.endpoint}, which would end with it: ${kept.join(', ')}`);
}

function stays(message: string, cause?: unknown): EngineError {
  return new EngineError('KeptData', message, { hint: `the emulator goes on; \`${command()} down --discard-kept\` stops it with all that it holds`, cause });
}

/** Configs that reach the emulator: of the store, and those of a store that was lost. */
async function configsThrough({ store, remembered, files }: Project, emulator: EmulatorNote): Promise<ProviderConfig[]> {
  const stored = await store.list('ProviderConfig');
  const names = new Set(stored.map(object => (object['metadata'] as JsonObject)['name']));
  const lost = Object.entries(remembered?.configs ?? {}).filter(([name]) => !names.has(name));
  const objects = [...stored, ...lost.map(([name, spec]) => ({ apiVersion: API_VERSION, kind: 'ProviderConfig', metadata: { name }, spec }))];
  const isOurs = ({ endpoint, instance }: JsonObject): boolean => endpoint === emulator.endpoint || instance === files.instance.id;
  return objects.map(parseConfig).filter(({ settings }) => isOurs(settings));
}
