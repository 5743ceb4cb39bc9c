import { setTimeout as sleep } from 'node:timers/promises';
import { type Answer, errorAnswer, serverErrorAnswer, throttleAnswer } from './answers.ts';
import { type Call, type CallFilter, matches } from './call.ts';

/** What a rule does to a call. */
export type Act =
  /** Waits before the call goes on, in milliseconds. */
  | { readonly kind: 'delay'; readonly ms: number }
  /** Closes the connection before the emulator saw the call: `drop` orderly, `reset` with a TCP reset. */
  | { readonly kind: 'drop' }
  | { readonly kind: 'reset' }
  /** Answers as the service does when it throttles; the emulator does not see the call. */
  | { readonly kind: 'throttle' }
  /** Answers a 5xx (500 unless given) before the work. */
  | { readonly kind: 'serverError'; readonly status?: number }
  /** The emulator does the work, the client gets a 5xx (500 unless given) or a broken connection. */
  | { readonly kind: 'failAfterWork'; readonly status?: number }
  | { readonly kind: 'dropAfterWork' }
  /** Keeps the call, before or after the work (default before), until the rule is released or removed. */
  | { readonly kind: 'hold'; readonly when?: 'before' | 'after' }
  /** Answers this error in the service's protocol; the emulator does not see the call. */
  | { readonly kind: 'respond'; readonly status: number; readonly code: string; readonly message: string }
  /** Runs a callback before the call is forwarded, or when its answer came and was not yet returned. */
  | { readonly kind: 'onCall'; readonly before?: (call: Call) => unknown; readonly after?: (call: Call) => unknown };

/** Which calls a rule is for, how many of them (default all), and what it does. */
export interface Rule {
  readonly match: CallFilter;
  readonly times?: number;
  readonly do: Act;
}

/** A rule in force. */
export interface RuleHandle {
  /** Takes the rule away, and lets go of what it holds. */
  remove(): void;
  /** Lets go of the calls that are held now, and of all later ones. */
  release(): void;
  /** How many calls it was applied to. */
  hits(): number;
  /** How many calls it holds now. */
  holding(): number;
}

/** What a rule makes of a call: an answer in place of the emulator's, a broken connection, or nothing (the call goes on). */
export type Outcome = { readonly answer: Answer } | { readonly broken: 'drop' | 'reset' } | undefined;

/** State of one rule of any proxy. */
export interface Active<R> {
  readonly rule: R;
  left: number;
  hits: number;
  holding: number;
  readonly released: Promise<void>;
  readonly release: () => void;
}

export type ActiveRule = Active<Rule>;

/** A rule as it starts. */
export function activate<R extends { readonly times?: number }>(rule: R): Active<R> {
  let release = () => {};
  const released = new Promise<void>(resolve => {
    release = resolve;
  });
  return { rule, left: rule.times ?? Number.POSITIVE_INFINITY, hits: 0, holding: 0, released, release };
}

/** Puts a rule in force among the others of its proxy. */
export function addTo<R>(rules: Active<R>[], active: Active<R>): RuleHandle {
  rules.push(active);
  return {
    remove: () => {
      const index = rules.indexOf(active);
      if (index >= 0) rules.splice(index, 1);
      active.release();
    },
    release: active.release,
    hits: () => active.hits,
    holding: () => active.holding,
  };
}

/** Waits so many milliseconds, or until the proxy ends. */
export async function waitFor(ms: number, closed: Promise<void>): Promise<undefined> {
  await Promise.race([sleep(ms, undefined, { ref: false }), closed]);
}

/** Waits until the rule lets go, or the proxy ends. */
export async function hold(active: Active<unknown>, closed: Promise<void>): Promise<undefined> {
  active.holding += 1;
  await Promise.race([active.released, closed]);
  active.holding -= 1;
}

/** Takes note that a rule is used once more. */
export function use(active: Active<unknown>): void {
  active.left -= 1;
  active.hits += 1;
}

/** Applies, in their order, the rules that act in this phase; the first that ends the call is the last one applied. */
export async function applyRules(rules: readonly ActiveRule[], phase: 'before' | 'after', call: Call, closed: Promise<void>): Promise<Outcome> {
  for (const active of [...rules]) {
    if (!actsIn(active.rule.do, phase) || active.left <= 0 || !matches(call, active.rule.match)) continue;
    use(active);
    const outcome = await act(active, phase, call, closed);
    if (outcome) return outcome;
  }
  return undefined;
}

function actsIn(action: Act, phase: 'before' | 'after'): boolean {
  if (action.kind === 'hold') return (action.when ?? 'before') === phase;
  if (action.kind === 'onCall') return action[phase] !== undefined;
  return (action.kind === 'failAfterWork' || action.kind === 'dropAfterWork') === (phase === 'after');
}

async function act(active: ActiveRule, phase: 'before' | 'after', call: Call, closed: Promise<void>): Promise<Outcome> {
  const action = active.rule.do;
  switch (action.kind) {
    case 'delay':
      return await waitFor(action.ms, closed);
    case 'hold':
      return await hold(active, closed);
    case 'onCall':
      await action[phase]?.(call);
      return undefined;
    case 'drop':
    case 'reset':
      return { broken: action.kind };
    case 'dropAfterWork':
      return { broken: 'drop' };
    case 'throttle':
      return { answer: throttleAnswer(call) };
    case 'serverError':
    case 'failAfterWork':
      return { answer: serverErrorAnswer(call, action.status) };
    case 'respond':
      return { answer: errorAnswer(call, action.status, action.code, action.message) };
  }
}
