/** For tests: a relay of bytes before a real API server, which breaks or silences connections below what HTTP can show. */
import { connect, createServer, type Socket } from 'node:net';
import { loadAccess } from './config.ts';

export interface Relay {
  /** `https://127.0.0.1:<port>` */
  readonly url: string;
  /** Connections made so far. */
  readonly opened: () => number;
  /** The next bytes of a client are not passed on: their connection is reset. */
  readonly cutAtNextByte: () => void;
  /** Resets every connection that stands. */
  readonly cutAll: () => void;
  /** How often the server said something that did not arrive. */
  readonly swallowed: () => number;
  /** While on, nothing that the server says arrives; connections stay. */
  readonly silence: (on: boolean) => void;
  /** While on, new connections are reset. */
  readonly refuse: (on: boolean) => void;
  readonly close: () => Promise<void>;
}

/** Relays to the server of the kubeconfig. */
export async function startRelay(kubeconfig: string): Promise<Relay> {
  const target = Number(new URL((await loadAccess({ kubeconfig })).server).port);
  const state = { opened: 0, swallowed: 0, cut: false, silent: false, refuse: false };
  const pairs = new Set<readonly [Socket, Socket]>();
  const server = createServer(client => {
    state.opened += 1;
    if (state.refuse) return client.resetAndDestroy();
    const upstream = connect(target, '127.0.0.1');
    const pair = [client, upstream] as const;
    pairs.add(pair);
    for (const socket of pair) socket.on('error', () => undefined).on('close', () => pairs.delete(pair));
    client.on('data', bytes => {
      if (state.cut) client.resetAndDestroy();
      else upstream.write(bytes);
      state.cut = false;
    });
    upstream.on('data', bytes => {
      if (state.silent) state.swallowed += 1;
      else client.write(bytes);
    });
    upstream.on('end', () => state.silent || client.end());
    client.on('close', () => upstream.destroy());
    return undefined;
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const cutAll = (): void => {
    for (const [client, upstream] of pairs) {
      client.resetAndDestroy();
      upstream.destroy();
    }
  };
  return {
    url: `https://127.0.0.1:${(server.address() as { port: number }).port}`,
    opened: () => state.opened,
    swallowed: () => state.swallowed,
    cutAtNextByte: () => Object.assign(state, { cut: true }),
    cutAll,
    silence: silent => Object.assign(state, { silent }),
    refuse: refuse => Object.assign(state, { refuse }),
    close: async () => {
      cutAll();
      await new Promise(resolve => server.close(resolve));
    },
  };
}
