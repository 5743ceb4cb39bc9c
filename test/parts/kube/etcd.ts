/** What the tests do with etcd itself, in its JSON: https://etcd.io/docs/v3.6/dev-guide/api_grpc_gateway/ */

/** Values by key. Their encoding is that of Kubernetes, mostly Protobuf. */
export type Data = ReadonlyMap<string, Buffer>;

/** Of one transaction; etcd takes 128. */
const MOST_CHANGES = 100;
const ALL = { key: encode('/registry/'), range_end: encode('/registry0') };

/** All that Kubernetes keeps. */
export async function readData(url: string): Promise<Data> {
  const { kvs = [] } = (await call(url, 'range', ALL)) as { kvs?: { key: string; value?: string }[] };
  return new Map(kvs.map(({ key, value }) => [Buffer.from(key, 'base64').toString(), Buffer.from(value ?? '', 'base64')]));
}

/** Writes values, and deletes the keys whose value is undefined. */
export async function writeData(url: string, changes: ReadonlyMap<string, Buffer | undefined>): Promise<void> {
  const requests = [...changes].map(([key, value]) =>
    value === undefined ? { requestDeleteRange: { key: encode(key) } } : { requestPut: { key: encode(key), value: value.toString('base64') } },
  );
  for (let at = 0; at < requests.length; at += MOST_CHANGES) await call(url, 'txn', { success: requests.slice(at, at + MOST_CHANGES) });
}

async function call(url: string, verb: string, body: unknown): Promise<unknown> {
  const answer = await fetch(`${url}/v3/kv/${verb}`, { method: 'POST', body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`etcd: ${verb}: ${answer.status} ${await answer.text()}`);
  return await answer.json();
}

function encode(key: string): string {
  return Buffer.from(key).toString('base64');
}
