import { afterEach, beforeEach, expect } from 'vitest';
import { part } from '../../test/parts/emulators.ts';
import { type ControlPlane, kubeconfigFor } from '../../test/parts/kube/control-plane.ts';
import { controlPlane, newNamespace } from '../../test/parts/kube/shared.ts';
import { kubectl } from '../../test/parts/kube/tools.ts';
import { withKubernetes } from '../../test/parts/with-kubernetes.ts';
import { isError } from '../core/errors.ts';
import { loadAccess } from '../kube/config.ts';
import { type Api, closeApi, openApi } from '../kube/transport.ts';
import { realClock } from './clock.ts';
import { kubeLeases } from './kube-leases.ts';
import { isLeading, type Leader, startLeader, stopLeader, takeLease } from './leader.ts';
import type { LeasePort, LeaseRecord } from './lease.ts';
import { isOurs, type Member, startMember, stopMember } from './members.ts';

const { signal } = new AbortController();
const record: LeaseRecord = {
  name: 'a-lease',
  holder: 'a',
  durationMs: 15_000,
  acquiredAt: '2026-11-21T06:00:00.000Z',
  renewedAt: '2026-11-21T06:00:05Z',
  transitions: 3,
  labels: { 'plinth.dev/member': 'true' },
  annotations: { 'plinth.dev/members': 'a b' },
  version: '',
};
/** Short ones, so that a test need not wait. */
const TIMES = { durationMs: 3_000, retryMs: 400 };

let plane: ControlPlane;
let api: Api;
let namespace: string;
let port: LeasePort;
const leaders: Leader[] = [];
const members: Member[] = [];

beforeEach(async () => {
  if (!part('kubernetes').available) return;
  plane = await controlPlane();
  namespace = await newNamespace(plane);
  api = openApi(await loadAccess({ kubeconfig: plane.adminKubeconfig }));
  port = kubeLeases(api, namespace);
});

afterEach(async () => {
  await Promise.all([...leaders.splice(0).map(stopLeader), ...members.splice(0).map(stopMember)]);
  if (api !== undefined) await closeApi(api);
});

const refusal = (promise: Promise<unknown>): Promise<unknown> => promise.catch((error: unknown) => error);

function leaderOptions(holder: string) {
  return { port, clock: realClock, random: Math.random, name: 'plinth-controller', holder, ...TIMES, log: () => undefined, onChange: () => undefined };
}

/** How soon it must come true is the business of the tests on a clock of their own. */
async function until(isTrue: () => boolean): Promise<void> {
  await expect.poll(isTrue, { timeout: 60_000, interval: 20 }).toBe(true);
}

withKubernetes('what is put is read again, as kubectl sees it too; versions are heeded', async () => {
  expect(await port.get('a-lease', signal)).toBeUndefined();
  const stored = await port.put(record, signal);
  expect(stored).toMatchObject({ ...record, version: stored.version, acquiredAt: '2026-11-21T06:00:00.000000Z', renewedAt: '2026-11-21T06:00:05.000000Z' });
  expect(await port.list('plinth.dev/member', signal)).toEqual([stored]);
  expect(await port.list('plinth.dev/other', signal)).toEqual([]);
  expect(await kubectl({ kubeconfig: plane.adminKubeconfig }, 'get', 'lease', 'a-lease', '-n', namespace, '-o', 'jsonpath={.spec.holderIdentity}')).toBe('a');
  const renewed = await port.put({ ...stored, renewedAt: '2026-11-21T06:00:07.123Z' }, signal);
  expect(renewed.renewedAt).toBe('2026-11-21T06:00:07.123000Z');
  for (const stale of [() => port.put(record, signal), () => port.put(stored, signal), () => port.remove(stored, signal)])
    expect(isError(await refusal(stale()), 'StoreConflict')).toBe(true);
  await port.remove(renewed, signal);
  await port.remove(renewed, signal);
  expect((await port.put(renewed, signal)).holder).toBe('a');
});

withKubernetes('a lease that was given back is stored as free', async () => {
  const stored = await port.put({ ...record, holder: '' }, signal);
  expect((await port.put({ ...stored, holder: 'b' }, signal)).holder).toBe('b');
});

withKubernetes('who may not is told so', async () => {
  const stranger = openApi(await loadAccess({ kubeconfig: await kubeconfigFor(plane, 'nobody') }));
  const error = await refusal(kubeLeases(stranger, namespace).get('a-lease', signal));
  await closeApi(stranger);
  expect(isError(error, 'StoreUnavailable')).toBe(true);
  expect((error as Error).message).toContain('User "nobody" cannot get resource "leases"');
});

withKubernetes('one leads; when it dies the other follows in time; when that one leaves, at once', async () => {
  const [a, b] = [startLeader(leaderOptions('a')), startLeader(leaderOptions('b'))];
  leaders.push(a, b);
  const ledBy: boolean[] = [];
  await until(() => {
    ledBy.splice(0, 2, isLeading(a), isLeading(b));
    return ledBy.includes(true);
  });
  expect(ledBy.filter(Boolean)).toHaveLength(1);
  const [first, second] = ledBy[0] ? [a, b] : [b, a];
  // As a crash: it neither renews nor gives back.
  first.ending.abort();
  leaders.splice(leaders.indexOf(first), 1);
  await until(() => isLeading(second));
  expect(isLeading(first)).toBe(false);
  const third = startLeader(leaderOptions('c'));
  leaders.push(third);
  await stopLeader(second);
  // Not waited out: it is free, or the third has it already.
  expect(['', 'c']).toContain((await port.get('plinth-controller', signal))?.holder);
  await until(() => isLeading(third));
});

withKubernetes('without election a lease that is held is refused', async () => {
  // Renewed often, and long enough that it cannot lapse while this process stands still for a moment.
  const long = { durationMs: 60_000 };
  leaders.push(await takeLease({ ...leaderOptions('a'), ...long }));
  expect(isError(await refusal(takeLease({ ...leaderOptions('b'), ...long })), 'LeaseHeld')).toBe(true);
});

withKubernetes('members share namespaces, and none is left out when one dies', async () => {
  const join = (id: string): Member => {
    const options = { port, clock: realClock, id, ...TIMES, log: () => undefined, onChange: () => undefined, drained: async () => undefined };
    const member = startMember(options);
    members.push(member);
    return member;
  };
  const names = Array.from({ length: 50 }, (_, n) => `team-${n}`);
  const all = ['a', 'b', 'c'].map(join);
  const workers = (name: string): number => all.filter(member => isOurs(member, name)).length;
  await until(() => names.every(name => workers(name) === 1));
  const [dead] = all.splice(1, 1);
  dead!.ending.abort();
  dead!.nudge.abort();
  await until(() => names.every(name => workers(name) === 1));
});
