/** An engine as main makes it, and claims for it to work. */
import { isError } from '../../src/core/errors.ts';
import type { ClaimKey, JsonObject, Provider } from '../../src/core/types.ts';
import { newBudgets } from '../../src/engine/budget.ts';
import { closeAll, newConnections } from '../../src/engine/clients.ts';
import { realClock } from '../../src/engine/clock.ts';
import { startController, stopController } from '../../src/engine/controller.ts';
import { DEFAULT_OPTIONS, type Engine } from '../../src/engine/engine.ts';
import { keepHeapSmall } from '../../src/engine/heap.ts';
import { metadataOf } from '../../src/engine/objects.ts';
import { reconcile } from '../../src/engine/reconcile.ts';
import type { Store } from '../../src/engine/store.ts';
import { newTracker, track } from '../../src/engine/tracker.ts';
import embedded from '../../src/generated/embedded.json' with { type: 'json' };
import { eachOf, numbers } from '../at-once.ts';

keepHeapSmall();

/** Claims that `plinth up` works at once. */
export const WORKERS = 8;
export const NAMESPACE = 'bench';

export interface Bench {
  readonly engine: Engine;
  readonly tracker: ReturnType<typeof newTracker>;
  /** Closes connections. */
  stop(): Promise<void>;
}

/** An engine on a store. */
export function benchEngine(store: Store, instance: Engine['instance'], providers: readonly Provider[], pollMs = 3_600_000): Bench {
  const ending = new AbortController();
  const connections = newConnections(realClock);
  const tracker = newTracker();
  const engine: Engine = {
    store,
    clock: realClock,
    instance,
    providers: new Map(providers.map(provider => [provider.name, provider])),
    connections,
    budgets: newBudgets(realClock),
    // Nothing is looked at again by itself while something is measured.
    options: { ...DEFAULT_OPTIONS, pollMs },
    log: () => {},
    signal: ending.signal,
    memory: new Map(),
    compiled: new Map(),
    track: (claim, dependsOn) => track(tracker, claim, dependsOn),
  };
  return { engine, tracker, stop: () => closeAll(connections) };
}

const spec = (object: JsonObject): JsonObject => object['spec'] as JsonObject;

/** The shipped admin objects, with an emulator's account as what class `local` reaches. */
export function localObjects(endpoint: string, account: string): JsonObject[] {
  const settings = { region: 'us-east-1', endpoint, accessKeyId: account };
  const objects = (embedded as unknown as JsonObject[]).map(object => {
    const isLocal = object['kind'] === 'ProviderConfig' && spec(object)['provider'] === 'localstack';
    return isLocal ? { ...object, spec: { ...spec(object), settings } } : object;
  });
  return [...objects, namespaceOf('local')];
}

/** The shipped definitions, and Queue as two queues of provider fake: what the engine costs without a cloud. */
export function fakeObjects(): JsonObject[] {
  const definitions = (embedded as unknown as JsonObject[]).filter(object => object['kind'] === 'ClaimDefinition');
  const apiVersion = 'plinth.dev/v1alpha1';
  return [
    ...definitions,
    { apiVersion, kind: 'Composition', metadata: { name: 'queue-fake' }, spec: FAKE_QUEUE },
    {
      apiVersion,
      kind: 'EnvironmentClass',
      metadata: { name: 'fake' },
      spec: { naming: '${claim.namespace}_${claim.name}', implementations: [{ claim: 'Queue', composition: 'queue-fake', configs: { fake: 'fake' } }] },
    },
    { apiVersion, kind: 'ProviderConfig', metadata: { name: 'fake' }, spec: { provider: 'fake', settings: { world: 'bench' } } },
    namespaceOf('fake'),
  ];
}

const FAKE_QUEUE: JsonObject = {
  claim: 'Queue',
  parameters: { type: 'object', properties: { tags: { type: 'object', additionalProperties: { type: 'string' }, default: {} } } },
  references: [{ id: 'topics', claim: 'Topic', forEach: '${claim.spec.subscriptions}', name: '${each.topic}' }],
  resources: [
    {
      id: 'deadLetter',
      type: 'fake/queue',
      includeWhen: '${has(claim.spec.deadLetter)}',
      spec: { fifo: '${claim.spec.fifo}', tags: '${parameters.tags}' },
    },
    {
      id: 'queue',
      main: true,
      type: 'fake/queue',
      spec: {
        fifo: '${claim.spec.fifo}',
        visibilityTimeoutSeconds: '${claim.spec.?visibilityTimeoutSeconds}',
        delaySeconds: '${claim.spec.?delaySeconds}',
        deadLetter: { address: '${deadLetter.state.address}', maxReceives: '${claim.spec.?deadLetter.maxReceives}' },
        tags: '${parameters.tags}',
      },
    },
  ],
  connection: {
    provider: 'fake',
    uri: '${queue.state.address}',
    arn: '${queue.state.address}',
    queue: '${queue.state.name}',
    region: 'none',
    'dead-letter-uri': '${deadLetter.state.address}',
    'secret-access-key': '${queue.secret.token}',
  },
  outputs: { arn: '${queue.state.address}', url: '${queue.state.address}', name: '${queue.state.name}' },
};

function namespaceOf(name: string): JsonObject {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE, labels: { 'plinth.dev/class': name } } };
}

/** The same store, and how many writes reached it since. */
export function counted<S extends Store>(store: S): { readonly store: S; readonly writes: () => number } {
  let count = 0;
  const write: Store['write'] = async change => {
    count += 1;
    return await store.write(change);
  };
  return { store: { ...store, write }, writes: () => count };
}

/** Queue claims with a dead letter, each of two queues. */
export function queueClaims(count: number, first = 0): JsonObject[] {
  return numbers(count, first).map(index => ({
    apiVersion: 'plinth.dev/v1alpha1',
    kind: 'Queue',
    metadata: { name: `orders-${index}`, namespace: NAMESPACE },
    spec: { visibilityTimeoutSeconds: 60, deadLetter: { maxReceives: 5 } },
  }));
}

export function keysOf(claims: readonly JsonObject[]): ClaimKey[] {
  return claims.map(claim => ({ kind: String(claim['kind']), namespace: NAMESPACE, name: metadataOf(claim).name }));
}

export interface Work {
  /** Resolves when so many claims are fine; rejects when one fails. */
  ready(count: number): Promise<void>;
  stop(): Promise<void>;
}

/** Works every claim of the store, and those that come, as `plinth up` does. */
export async function startWork({ engine, tracker }: Bench, workers = WORKERS): Promise<Work> {
  const fine = new Set<string>();
  const waiting: { readonly count: number; readonly done: () => void; readonly fail: (error: unknown) => void }[] = [];
  const look = (): void => {
    for (const waiter of waiting) if (fine.size >= waiter.count) waiter.done();
  };
  const controller = await startController({
    store: engine.store,
    clock: engine.clock,
    random: () => 0.5,
    tracker,
    isClaim: kind => kind === 'Queue',
    reconcileOne: async key => {
      const schedule = await reconcile(engine, key);
      if (schedule.kind === 'again' && schedule.because === 'resync') fine.add(key.name);
      look();
      return schedule;
    },
    onError: (_, error) => {
      // In a cluster a conflict is no failure: somebody else wrote, and the claim is looked at again.
      if (!isError(error, 'StoreConflict')) for (const waiter of waiting) waiter.fail(error);
    },
    concurrency: workers,
  });
  const ready = (count: number): Promise<void> =>
    new Promise((done, fail) => {
      waiting.push({ count, done, fail });
      look();
    });
  return { ready, stop: async () => void (await stopController(controller)) };
}

/** Works each claim once, as many at a time as `plinth up` does. */
export async function passOver({ engine }: Bench, keys: readonly ClaimKey[], workers = WORKERS): Promise<void> {
  await eachOf(keys, workers, key => reconcile(engine, key));
}
