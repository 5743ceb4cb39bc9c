/** A secret that flows from one thing into a field of another which cannot be read back. */
import { expect, test } from 'vitest';
import { thing } from '../../providers/fake/thing.ts';
import { findThing, world } from '../../providers/fake/world.ts';
import { around, TRIAL } from '../around.ts';
import { condition, putAll, told } from '../support.ts';
import { age, baseOf, declare, onBench, rest, restart, unmake, writesOf } from './bench.ts';
import { fake, fakeGround } from './fake-ground.ts';
import type { Subject } from './subject.ts';

const subject: Subject = {
  title: 'fake/thing with a password',
  provider: fake,
  type: thing,
  open: () => fakeGround(thing),
  mutable: [{ path: 'size', value: 2, other: 3 }],
  immutable: { path: 'kind', value: 'special' },
  unset: { path: 'label', value: 'x', outcome: 'taken away' },
  part: 'label',
  dangling: 'none',
};

test('a secret is written, followed when it changes, and seen nowhere', () =>
  onBench(subject, async bench => {
    const { settings } = bench.ground;
    await putAll(bench.test, around({ type: thing, provider: 'fake', settings, secretsFrom: { settings } }));
    const place = world(String(settings['world']));
    const hidden = () => findThing(place, 'here', 'fake/thing', 'dev-alice_subject')?.hidden;
    const source = () => findThing(place, 'here', 'fake/thing', 'dev-alice_subject_source')!;
    await declare(bench, baseOf(bench));
    const { status } = await rest(bench);
    expect(condition(status, 'Ready')?.status, told(status)).toBe('True');
    expect(hidden()).toEqual({ password: 'token-of-dev-alice_subject_source' });
    age(bench);
    const quiet = async (): Promise<void> => {
      await rest(bench);
      restart(bench);
      await rest(bench);
    };
    expect(await writesOf(bench, quiet)).toEqual([]);
    source().token = 'a-new-token';
    bench.clock.skip(60_000);
    await rest(bench);
    expect(hidden()).toEqual({ password: 'a-new-token' });
    age(bench);
    expect(await writesOf(bench, quiet)).toEqual([]);
    const told1 = [bench.test.store.dump(), bench.test.store.events(), bench.test.logged];
    expect(JSON.stringify(told1)).not.toMatch(/a-new-token|token-of/);
    await unmake(bench);
    expect([await bench.ground.list(), await bench.test.store.get(TRIAL)]).toEqual([[], undefined]);
  }));
