/** Provider `fake`: things in memory whose latency, failures, states and drift are chosen by spec values. For tests and demos. */
import { type JsonObject, type Owned, ownerOf, provider } from '../../src/sdk.ts';
import { type Call, classify, connect, type FakeClient, FakeSettings, send } from './client.ts';
import { link } from './link.ts';
import { note } from './note.ts';
import { queue } from './queue.ts';
import { store } from './store.ts';
import { thing } from './thing.ts';
import type { Thing } from './world.ts';

export const fake = provider<Partial<FakeSettings>, FakeClient>({
  name: 'fake',
  description: 'Things in memory; latency, failures, states and drift are chosen by spec values. For tests and demos.',
  settings: FakeSettings,
  types: [thing, queue, store, note, link],
  unsearchable: ['fake/link'],
  rate: { callsPerSecond: 100_000, burst: 100_000 },
  forgetful: settings => settings.forgets === true,
  connect: async settings => connect(settings),
  scope: async client => `fake:${client.settings.world}:${client.settings.account}`,
  close: async () => {},
  classify,
  owned: (ctx, instance) => owned(ctx, instance),
  unsupported: client => client.settings.cannot ?? {},
});

async function* owned(ctx: Call, instance: string): AsyncGenerator<Owned> {
  const found = await send(ctx, { verb: 'list', operation: 'List', type: '', name: '' }, things => [...things.values()]);
  for (const { type, name, spec } of found) {
    const owner = ownerOf(marksIn({ spec }));
    if (owner?.instance === instance) yield { type, name, owner };
  }
}

/** From the tags, or from the words of the comment. */
function marksIn({ spec }: Pick<Thing, 'spec'>): JsonObject {
  if (spec['tags'] !== undefined) return spec['tags'] as JsonObject;
  const words = String(spec['comment'] ?? '').split(' ');
  return Object.fromEntries(words.map(word => word.split('=', 2) as [string, string]));
}
