/** The conformance kit over the types of provider `kubernetes`, on a real API server: plain objects, workloads, and kinds of somebody else. */
import fc, { type Arbitrary } from 'fast-check';
import { afterAll, test } from 'vitest';
import { kubernetes } from '../../providers/kubernetes/index.ts';
import { object } from '../../providers/kubernetes/object.ts';
import type { Json, JsonObject } from '../../src/core/types.ts';
import { conformance } from '../conformance.ts';
import { part } from '../parts/emulators.ts';
import { endKubernetesGrounds, type Kind, kubernetesGround } from './kubernetes-ground.ts';
import type { Subject } from './subject.ts';

const CONFIG_MAP: Kind = { apiVersion: 'v1', kind: 'ConfigMap', plural: 'configmaps' };
const SERVICE: Kind = { apiVersion: 'v1', kind: 'Service', plural: 'services' };
const DEPLOYMENT: Kind = { apiVersion: 'apps/v1', kind: 'Deployment', plural: 'deployments' };
const WIDGET: Kind = { apiVersion: 'acme.example/v1', kind: 'Widget', plural: 'widgets' };
const GADGET: Kind = { apiVersion: 'acme.example/v1', kind: 'Gadget', plural: 'gadgets' };
const GRANTED = [CONFIG_MAP, SERVICE, DEPLOYMENT, WIDGET, GADGET];

const WORD = fc.stringMatching(/^[a-z]([a-z0-9-]{0,10}[a-z0-9])?$/);
const NAME = fc.stringMatching(/^[a-z]{3,10}$/);
const map = <T extends Json>(key: Arbitrary<string>, value: Arbitrary<T>): Arbitrary<Record<string, T>> =>
  fc.dictionary(key, value, { maxKeys: 3, noNullPrototype: true });
const maybe = <T>(value: Arbitrary<T>): Arbitrary<T | undefined> => fc.option(value, { nil: undefined });
const marks = map(
  WORD.map(word => `mark.${word}`),
  fc.string({ maxLength: 20 }),
);

/** A record without the fields that were left out. */
function fields(model: Readonly<Record<string, Arbitrary<Json | undefined>>>): Arbitrary<JsonObject> {
  return fc.record(model).map(made => Object.fromEntries(Object.entries(made).filter(([, value]) => value !== undefined)) as JsonObject);
}

/** Names are unique, as a spec is known by them. */
let count = 0;
function manifests({ apiVersion, kind }: Kind, rest: Arbitrary<JsonObject>): Arbitrary<Json> {
  return fc.tuple(NAME, fields({ labels: maybe(map(WORD, WORD)), annotations: maybe(map(WORD, WORD)) }), rest).map(([name, metadata, more]) => {
    count += 1;
    return { apiVersion, kind, metadata: { name: `${name}-${count}`, ...metadata }, ...more };
  });
}

const subject = (
  kinds: readonly [Kind, ...Kind[]],
  more: Pick<Subject, 'base' | 'rich' | 'mutable' | 'immutable' | 'runs'> & { readonly rest: Arbitrary<JsonObject> },
): Subject => {
  const { rest, ...told } = more;
  return {
    ...told,
    title: `kubernetes/object, a ${kinds[0].kind}`,
    provider: kubernetes,
    type: object,
    open: () => kubernetesGround(kinds, GRANTED),
    // What a manifest does not set is left to others.
    unset: 'none',
    part: 'none',
    dangling: 'none',
    generate: { manifest: manifests(kinds[0], rest), marks },
  };
};
const manifest = ({ apiVersion, kind }: Kind, rest: JsonObject, metadata: JsonObject = {}): JsonObject => ({
  manifest: { apiVersion, kind, metadata: { name: 'shop', ...metadata }, ...rest },
});

const configMap = subject([CONFIG_MAP], {
  base: manifest(CONFIG_MAP, { data: { size: '1', colour: 'red' } }),
  rich: manifest(CONFIG_MAP, { data: { size: '1', colour: 'red', 'a.b': 'x' } }, { labels: { app: 'shop' }, annotations: { note: 'ours' } }),
  mutable: [
    { path: 'manifest.data.size', value: '7', other: '8' },
    { path: 'manifest.data.colour', value: 'green', other: 'blue' },
  ],
  immutable: 'none',
  rest: fields({ data: maybe(map(WORD, fc.string({ maxLength: 50 }))), immutable: maybe(fc.boolean()) }),
});

const widget = subject([WIDGET, GADGET], {
  base: manifest(WIDGET, { spec: { size: 1, mode: 'plain' } }),
  rich: manifest(WIDGET, { spec: { size: 1, mode: 'plain', rules: [{ host: 'a' }, { host: 'b', port: 81 }], deep: { limits: { cpu: '1000m' } } } }),
  mutable: [
    { path: 'manifest.spec.size', value: 7, other: 8 },
    { path: 'manifest.spec.mode', value: 'fancy', other: 'odd' },
  ],
  immutable: { path: 'manifest.kind', value: 'Gadget' },
  rest: fields({
    spec: fields({
      mode: maybe(WORD),
      rules: maybe(fc.array(fields({ host: WORD, port: maybe(fc.nat(1_000)) }), { maxLength: 3 })),
      free: fc.jsonValue({ maxDepth: 2, noUnicodeString: true } as never).filter(isPlain) as Arbitrary<Json>,
    }),
  }),
});
/** What every JSON codec keeps: no -0, no numbers that Go writes in its own way. */
function isPlain(value: unknown): boolean {
  return !/e[+-]?\d|-0\b|__proto__/i.test(JSON.stringify(value)) && !hasNumber(value);
}
const hasNumber = (value: unknown): boolean =>
  typeof value === 'number' ? !Number.isSafeInteger(value) : value !== null && typeof value === 'object' && Object.values(value).some(hasNumber);

const POD_LABELS = { app: 'shop' };
const deployment = (spec: JsonObject, ...containers: JsonObject[]): JsonObject =>
  manifest(DEPLOYMENT, {
    spec: { replicas: 0, selector: { matchLabels: POD_LABELS }, template: { metadata: { labels: POD_LABELS }, spec: { containers } }, ...spec },
  });
const CPU = fc.constantFrom('1000m', '0.5', '250m', 1, '2');
const MEMORY = fc.constantFrom('1024Mi', '1.5Gi', '64Mi', '1e3', '128974848');
const container = fields({
  image: WORD,
  args: maybe(fc.array(WORD, { maxLength: 3 })),
  env: maybe(
    fc.uniqueArray(fields({ name: WORD.map(word => word.toUpperCase().replaceAll('-', '_')), value: fc.string({ maxLength: 10 }) }), {
      maxLength: 3,
      selector: env => env['name'],
    }),
  ),
  ports: maybe(fc.uniqueArray(fields({ containerPort: fc.integer({ min: 1, max: 65_535 }) }), { maxLength: 2, selector: port => port['containerPort'] })),
  resources: maybe(fields({ requests: maybe(fields({ cpu: maybe(CPU), memory: maybe(MEMORY) })) })),
  readinessProbe: maybe(fields({ httpGet: fields({ path: fc.constant('/'), port: fc.constantFrom(8080, 'web') }) })),
  tty: maybe(fc.boolean()),
});
const podSpec = fc
  .tuple(
    fc.array(container, { minLength: 1, maxLength: 3 }),
    fields({
      hostNetwork: maybe(fc.constant(false)),
      terminationGracePeriodSeconds: maybe(fc.nat(60)),
      volumes: maybe(fc.constantFrom<Json>([], [{ name: 'tmp', emptyDir: {} }], [{ name: 'tmp', emptyDir: { sizeLimit: '1024Mi' } }])),
      nodeSelector: maybe(map(WORD, WORD)),
    }),
  )
  .map(([containers, more]) => ({ containers: containers.map((item, index) => ({ name: `c${index}`, ...item })), ...more }) as JsonObject);
const workload = subject([DEPLOYMENT], {
  base: deployment({ minReadySeconds: 1 }, { name: 'app', image: 'shop:1' }),
  rich: deployment(
    { minReadySeconds: 1, revisionHistoryLimit: 3 },
    {
      name: 'app',
      image: 'shop:1',
      ports: [{ containerPort: 80 }],
      env: [{ name: 'A', value: '1' }],
      resources: { requests: { cpu: '1000m', memory: '1024Mi' } },
    },
    { name: 'side', image: 'side:1' },
  ),
  mutable: [
    { path: 'manifest.spec.minReadySeconds', value: 7, other: 8 },
    { path: 'manifest.spec.revisionHistoryLimit', value: 5, other: 6 },
  ],
  immutable: 'none',
  runs: 60,
  rest: podSpec.map(spec => ({ spec: { replicas: 0, selector: { matchLabels: POD_LABELS }, template: { metadata: { labels: POD_LABELS }, spec } } })),
});

const service = subject([SERVICE], {
  base: manifest(SERVICE, { spec: { selector: { app: 'shop' }, ports: [{ port: 80 }], sessionAffinity: 'None' } }),
  rich: manifest(SERVICE, {
    spec: {
      type: 'ClusterIP',
      selector: { app: 'shop' },
      sessionAffinity: 'None',
      ports: [
        { name: 'web', port: 80, targetPort: 'web' },
        { name: 'dns', port: 53, protocol: 'UDP' },
      ],
    },
  }),
  mutable: [
    { path: 'manifest.spec.selector.app', value: 'green', other: 'blue' },
    { path: 'manifest.spec.internalTrafficPolicy', value: 'Cluster', other: 'Local' },
  ],
  immutable: 'none',
  runs: 40,
  rest: fields({
    spec: fields({
      selector: maybe(map(WORD, WORD)),
      ports: fc
        .uniqueArray(fields({ port: fc.integer({ min: 1, max: 65_535 }), targetPort: maybe(fc.constantFrom(8080, 'web')) }), {
          minLength: 1,
          maxLength: 3,
          selector: port => port['port'],
        })
        .map(ports => ports.map((item, index) => ({ name: `p${index}`, ...item }))),
      publishNotReadyAddresses: maybe(fc.boolean()),
    }),
  }),
});

const { available, reason, cure } = part('kubernetes');
afterAll(endKubernetesGrounds);
// The widget tries the engine for all: it alone has a change that needs a new object, and defaults that only the server knows.
const others = [configMap, workload, service].map(each => ({ ...each, engineTriedBy: widget.title }));
if (available) for (const each of [widget, ...others]) conformance(each);
else test.skip(`Kubernetes is not here: ${reason}. ${cure}`);
