/**
 * How the requests of the AWS SDK leave: over kept-alive connections of undici, each behind the fence of the verb that made it. Loaded with the
 * first SDK client: commands that send nothing need not wait for it.
 */
import { buildQueryString } from '@smithy/core/protocols';
import type { HttpRequest, QueryParameterBag } from '@smithy/types';
import { Agent, DecoratorHandler, type Dispatcher } from 'undici';
import { fenced, leave } from '../../src/outgoing.ts';

/** What one call brings along: `client.send(command, sending)`. */
export interface Sending {
  readonly abortSignal?: AbortSignal;
  readonly fence?: () => void;
}

/** The SDK waits for ever by default; a control-plane call that takes longer than this is lost. ms. */
const BOUNDS = { connect: 5_000, answer: 20_000 };
/** undici's codes for what Node has other names for: the other side ended the connection before the answer was whole, or we did. */
const NODE_CODES: Readonly<Record<string, string>> = {
  UND_ERR_SOCKET: 'ECONNRESET',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'ECONNRESET',
  UND_ERR_CLOSED: 'ECONNABORTED',
  UND_ERR_DESTROYED: 'ECONNABORTED',
};
/** To one host. */
const CONNECTIONS = 64;

/** A request handler for SDK clients, with connections of its own. The body of an answer is read whole: none of these calls streams. */
export function openHandler({ connect, answer } = BOUNDS) {
  const agent = new Agent({ connections: CONNECTIONS, connect: { timeout: connect }, headersTimeout: answer, bodyTimeout: answer });
  const dispatcher = fenced({ DecoratorHandler }, agent);
  return {
    metadata: { handlerProtocol: 'http/1.1' },
    handle: (request: HttpRequest, sending: Sending = {}) => handle(dispatcher, request, sending),
    destroy: (): void => void agent.destroy(),
  };
}

async function handle(dispatcher: Dispatcher, request: HttpRequest, { abortSignal = new AbortController().signal, fence }: Sending) {
  const { method, headers, body } = request;
  try {
    const answer = await leave(dispatcher, {
      origin: originOf(request),
      path: pathOf(request),
      method: method as Dispatcher.HttpMethod,
      headers,
      body: body ?? null,
      signal: abortSignal,
      fence,
      // Else undici would end the connection after each HEAD, and every look at a bucket would begin with a handshake.
      reset: false,
    });
    const whole = new Uint8Array(await answer.body.arrayBuffer());
    return { response: { statusCode: answer.statusCode, headers: joined(answer.headers), body: whole } };
  } catch (error) {
    throw asOfNode(error);
  }
}

function originOf({ protocol, hostname, port }: HttpRequest): string {
  return `${protocol}//${hostname}${port === undefined ? '' : `:${port}`}`;
}

function pathOf({ path, query = {} }: { readonly path: string; readonly query?: QueryParameterBag }): string {
  const asked = buildQueryString(query);
  return asked === '' ? path : `${path}?${asked}`;
}

function joined(headers: Dispatcher.ResponseData['headers']): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(',') : (value ?? '')]));
}

/** The same failure under the names that Node and the SDK have for it, which people know. */
function asOfNode(error: unknown): unknown {
  const { name, code = '' } = error as { readonly name?: string; readonly code?: string };
  if (/^UND_ERR_.*TIMEOUT$/.test(code)) return Object.assign(error as Error, { name: 'TimeoutError' });
  // Without a code, the answer ended in the middle of a chunk.
  const known = name === 'HTTPParserError' && code === '' ? 'ECONNRESET' : NODE_CODES[code];
  return known === undefined ? error : Object.assign(error as Error, { code: known });
}
