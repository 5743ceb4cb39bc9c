import type { Answer } from '../../proxy/answers.ts';
import { type Active, hold, use, waitFor } from '../../proxy/rules.ts';
import { type Refusal, refusal } from './answers.ts';
import { type KubeCall, type KubeCallFilter, matches } from './calls.ts';

/** What a rule does to a call. */
export type CallAct =
  /** Waits, before the work or (`after`) before its answer goes on, in milliseconds: a slow list is one whose answer is old when it comes. */
  | { readonly kind: 'delay'; readonly ms: number; readonly when?: 'before' | 'after' }
  /** Keeps the call, before or after the work (default before), until the rule is released or removed. */
  | { readonly kind: 'hold'; readonly when?: 'before' | 'after' }
  /** Breaks the connection before or after the work (default before): `drop` orderly, `reset` with a TCP reset. */
  | { readonly kind: 'drop' | 'reset'; readonly when?: 'before' | 'after' }
  /** Answers with a refusal; by default the API server does not see the call. */
  | { readonly kind: 'refuse'; readonly status: Refusal; readonly retryAfterSeconds?: number; readonly when?: 'before' | 'after' }
  /** Sends the answer in ten pieces over so many milliseconds. */
  | { readonly kind: 'trickle'; readonly ms: number }
  /** Answers a get or list with what was answered to the same question before: last time, or the first time since the start. The first time it passes. */
  | { readonly kind: 'stale'; readonly age?: 'previous' | 'first' }
  /** Runs a callback before the call is forwarded, or when its answer came and was not yet returned. */
  | { readonly kind: 'onCall'; readonly before?: (call: KubeCall) => unknown; readonly after?: (call: KubeCall) => unknown };

/** What a rule does to a watch that runs, now or later; `afterEvents` lets so many events of it pass first. */
export type StreamAct =
  /** Half-open: no more bytes come, the connection stays. */
  | { readonly kind: 'freeze'; readonly afterEvents?: number }
  /** Breaks the connection in the middle of the answer. */
  | { readonly kind: 'cut'; readonly afterEvents?: number }
  /** Ends the answer as it should be ended, which the API server does after some minutes. */
  | { readonly kind: 'end'; readonly afterEvents?: number }
  /** Sends an ERROR event with code 410 and ends the answer. */
  | { readonly kind: 'goneEvent'; readonly afterEvents?: number }
  /** Leaves bookmarks out. */
  | { readonly kind: 'dropBookmarks' }
  /** Each event comes so many milliseconds late; the order stays. */
  | { readonly kind: 'lag'; readonly ms: number }
  /** Events wait until the rule is released or removed. */
  | { readonly kind: 'holdEvents' };

export type KubeAct = CallAct | StreamAct;

/** Which calls a rule is for, how many of them (default all), and what it does. */
export interface KubeRule {
  readonly match: KubeCallFilter;
  readonly times?: number;
  readonly do: KubeAct;
}

export type ActiveKubeRule = Active<KubeRule>;

/** What is done to a call in place of its way: an answer, a broken connection, an earlier answer; or nothing. */
export type KubeOutcome =
  | { readonly answer: Answer }
  | { readonly broken: 'drop' | 'reset' }
  | { readonly stale: 'previous' | 'first' }
  | { readonly trickleMs: number }
  | undefined;

const STREAM_ACTS: readonly string[] = ['freeze', 'cut', 'end', 'goneEvent', 'dropBookmarks', 'lag', 'holdEvents'] satisfies StreamAct['kind'][];

/** Whether an act is for watches that run. */
export function isStreamAct(act: KubeAct): act is StreamAct {
  return STREAM_ACTS.includes(act.kind);
}

/** Applies, in their order, the rules that act in this phase; the first that has an outcome is the last one applied. */
export async function applyRules(rules: readonly ActiveKubeRule[], phase: 'before' | 'after', call: KubeCall, closed: Promise<void>): Promise<KubeOutcome> {
  for (const active of [...rules]) {
    const action = active.rule.do;
    if (isStreamAct(action) || !actsIn(action, phase) || active.left <= 0 || !matches(call, active.rule.match)) continue;
    use(active);
    const outcome = await act(active, action, phase, call, closed);
    if (outcome) return outcome;
  }
  return undefined;
}

function actsIn(action: CallAct, phase: 'before' | 'after'): boolean {
  if (action.kind === 'onCall') return action[phase] !== undefined;
  if (action.kind === 'trickle') return phase === 'after';
  if (action.kind === 'stale') return phase === 'before';
  return (action.when ?? 'before') === phase;
}

async function act(active: ActiveKubeRule, action: CallAct, phase: 'before' | 'after', call: KubeCall, closed: Promise<void>): Promise<KubeOutcome> {
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
    case 'refuse':
      return { answer: refusal(action.status, action.retryAfterSeconds) };
    case 'trickle':
      return { trickleMs: action.ms };
    case 'stale':
      return call.verb === 'get' || call.verb === 'list' ? { stale: action.age ?? 'previous' } : undefined;
  }
}
