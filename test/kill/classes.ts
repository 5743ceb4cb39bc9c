/**
 * Which calls and writes are of one class: of two in one class a crash at the one shows what a crash at the other shows. A class is the verb and what
 * it is done to: the type of thing in the cloud; of what is written of a claim, the phases that the entries of its inventory are in.
 */
import type { JsonObject } from '../../src/core/types.ts';
import type { KubeCall } from '../parts/kube/proxy.ts';
import type { Call } from '../parts/proxy/call.ts';

/** Calls that change something, but for Leases, which are renewed by time and not by what is done. */
export const isWork = (call: Call | KubeCall): boolean => call.mutating && !('resource' in call && call.resource === 'leases');

/** `sqs CreateQueue`. */
export function classOfCall({ service, operation }: Call): string {
  return `${service} ${operation}`;
}

const CLAIMS = new Set(['queues', 'topics', 'buckets', 'tables']);

/** `patch claims/status Intended Present`, `create secrets`. */
export function classOfWrite({ verb, resource = '', subresource, input }: KubeCall): string {
  const isClaim = CLAIMS.has(resource);
  const below = subresource === undefined ? '' : `/${subresource}`;
  return [verb, `${isClaim ? 'claims' : resource}${below}`, ...(isClaim ? phasesIn(input) : [])].join(' ');
}

/** `write claims Intended`, `remove secrets`; the path is relative to the state folder. */
export function classOfFile(verb: 'write' | 'remove', path: string, text = ''): string {
  const [top = ''] = path.split('/');
  return [verb, top, ...(top === 'claims' && text !== '' ? phasesIn(JSON.parse(text)) : [])].join(' ');
}

function phasesIn(object: unknown): string[] {
  const { resources } = ((object as JsonObject | undefined)?.['status'] ?? {}) as { resources?: readonly { readonly phase: string }[] | null };
  return [...new Set((resources ?? []).map(({ phase }) => phase))].sort();
}
