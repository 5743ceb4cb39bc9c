/** ClaimDefinitions and the admin kinds as CustomResourceDefinitions. */
import { adminStatusSchema, claimStatusSchema } from './claim-status.ts';
import { hash } from './digest.ts';
import { ADMIN_KINDS, ADMIN_NAMES, type AdminKind, API_VERSION, LifecycleBlock } from './kinds.ts';
import { checkValue, withDefaults } from './schema.ts';
import { checkRules } from './schema-rules.ts';
import type { Schema } from './schema-types.ts';
import { structural } from './structural.ts';
import type { ClaimDefinition, Json, JsonObject, StringMap } from './types.ts';

const [GROUP = '', VERSION = ''] = API_VERSION.split('/');
/** Annotation of every CustomResourceDefinition we make: the version of Plinth that wrote it. */
export const ENGINE_VERSION = 'plinth.dev/engine-version';
/** Annotation: hash of everything else in it, so that the same one is not written again. */
export const SCHEMA_HASH = 'plinth.dev/schema-hash';
/** Label that tells our claim kinds from other CustomResourceDefinitions; the value is the kind. */
export const CLAIM_KIND = 'plinth.dev/claim-kind';

interface Column {
  readonly name: string;
  readonly jsonPath: string;
  readonly type?: 'string' | 'date' | 'boolean';
  readonly description: string;
  /** 1: only with `kubectl get -o wide`. */
  readonly priority?: 0 | 1;
}
/** What differs between two CustomResourceDefinitions of ours. */
interface Kind {
  readonly kind: string;
  readonly plural: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly scope: 'Namespaced' | 'Cluster';
  readonly schema: JsonObject;
  readonly columns: readonly Column[];
  readonly labels: StringMap;
  readonly version: string;
}

const condition = (type: string, field: string): string => `.status.conditions[?(@.type=="${type}")].${field}`;
const AGE: Column = { name: 'Age', jsonPath: '.metadata.creationTimestamp', type: 'date', description: 'When it was created.' };
const READY: Column = { name: 'Ready', jsonPath: condition('Ready', 'status'), description: 'Whether it can be used.' };
const REASON: Column = { name: 'Reason', jsonPath: condition('Ready', 'reason'), description: 'Why it is ready or not.', priority: 1 };

const CLAIM_COLUMNS: readonly Column[] = [
  { name: 'Class', jsonPath: '.status.class', description: 'The EnvironmentClass that decided.' },
  { name: 'Implementation', jsonPath: '.status.composition', description: 'The composition that provides it.' },
  READY,
  REASON,
  AGE,
];

/**
 * The CustomResourceDefinition of a claim kind, as written by this version of Plinth. Throws EngineError InvalidObject when its schema says
 * something that a CustomResourceDefinition cannot.
 */
export function claimCrd(definition: ClaimDefinition, version: string): JsonObject {
  const { kind, plural, shortNames, scope, connection } = definition;
  const isNamespaced = scope !== 'Cluster';
  const spec = claimSpecSchema(definition);
  const about = (definition.schema as Schema).description ?? `A claim for a ${kind}.`;
  const schema = {
    type: 'object',
    description: about,
    required: ['spec'],
    properties: { ...HEAD, spec, status: claimStatusSchema(definition.outputs as Schema) },
    'x-kubernetes-validations': [isNamespaced ? nameRule(kind) : CLUSTER_NAME_RULE],
  };
  const labels: StringMap = { [CLAIM_KIND]: kind, ...(isNamespaced ? { 'servicebinding.io/provisioned-service': 'true' } : {}) };
  // `kubectl get claims` is a tenant's question about a namespace; what belongs to none is the platform's.
  const categories = [isNamespaced ? 'claims' : 'plinth'];
  const annotations: StringMap = isNamespaced ? { 'plinth.dev/connection-type': connection.type } : {};
  return crd({ kind, plural, shortNames, categories, scope, schema, columns: CLAIM_COLUMNS, labels, version }, annotations);
}

/** The structural schema of a claim's `spec`, `lifecycle` included. Throws as `claimCrd`. */
export function claimSpecSchema({ kind, schema }: Pick<ClaimDefinition, 'kind' | 'schema'>): JsonObject {
  const own = structural(schema as Schema, 'spec.schema');
  const lifecycle = structural(LifecycleBlock as Schema, 'lifecycle');
  const properties = { ...(own['properties'] as JsonObject | undefined), lifecycle };
  // A server-side apply of `spec: {}` over a spec of one field takes the spec away as a whole: where an empty one will do, it is put back.
  return { description: `What is wanted of the ${kind}.`, ...own, properties, ...emptySpec(schema as Schema) };
}

/** With the defaults of its fields: rules judge a default as it stands. */
function emptySpec(schema: Schema): JsonObject {
  const value = withDefaults(schema, {});
  const isFine = checkValue(schema, value, '').length === 0 && checkRules(schema, value, undefined, '').length === 0;
  return isFine ? { default: value } : {};
}

/** The name is named so that rules can point at it. */
const HEAD: JsonObject = {
  apiVersion: { type: 'string' },
  kind: { type: 'string' },
  metadata: { type: 'object', properties: { name: { type: 'string' } } },
};

/** A name is at most 253 characters, and the Secret's is the claim's with the kind behind it. */
function nameRule(kind: string): JsonObject {
  const longest = 253 - kind.length - 1;
  return {
    fieldPath: '.metadata.name',
    rule: `size(self.metadata.name) <= ${longest}`,
    message: `the name must have at most ${longest} characters: its Secret is named <name>-${kind.toLowerCase()}`,
  };
}

/** What belongs to no namespace may make one of its own name. */
const CLUSTER_NAME_RULE: JsonObject = {
  fieldPath: '.metadata.name',
  rule: "size(self.metadata.name) <= 63 && !self.metadata.name.contains('.')",
  message: 'the name must be one of a namespace: lower-case letters, digits and -, at most 63',
};

function ownWords(field: 'kind' | 'plural', words: readonly string[]): JsonObject {
  const rule = `!(self.spec.${field} in [${words.map(word => `'${word}'`).join(', ')}])`;
  return { fieldPath: `.spec.${field}`, rule, message: 'Plinth itself has a kind of this name; choose another' };
}

/** What a schema of an admin kind cannot say, as rules on the whole object. */
const ADMIN_RULES: Partial<Record<AdminKind, JsonObject[]>> = {
  ClaimDefinition: [
    {
      fieldPath: '.metadata.name',
      rule: `self.metadata.name == self.spec.plural + '.${GROUP}'`,
      messageExpression: `'the definition of ' + self.spec.kind + ' must be named ' + self.spec.plural + '.${GROUP}'`,
      message: `the name must be <plural>.${GROUP}`,
    },
    { fieldPath: '.spec.kind', rule: 'self.spec.kind == oldSelf.spec.kind', message: 'the kind cannot change; make a new definition' },
    { fieldPath: '.spec.scope', rule: 'self.spec.scope == oldSelf.spec.scope', message: 'the scope cannot change; make a new definition' },
    {
      fieldPath: '.spec.connection',
      rule: "self.spec.scope == 'Cluster' ? (!has(self.spec.connection) || size(self.spec.connection.keys) == 0) : has(self.spec.connection)",
      message: 'what applications get; left out with scope Cluster, as there is no namespace for a Secret',
    },
    ownWords('kind', Object.keys(ADMIN_NAMES)),
    ownWords(
      'plural',
      Object.values(ADMIN_NAMES).map(({ plural }) => plural),
    ),
  ],
};

const ADMIN_COLUMNS: Readonly<Record<AdminKind, readonly Column[]>> = {
  ClaimDefinition: [{ name: 'Kind', jsonPath: '.spec.kind', description: 'The claim kind that it makes.' }, READY, REASON, AGE],
  Composition: [{ name: 'Claim', jsonPath: '.spec.claim', description: 'The claim kind that it implements.' }, READY, REASON, AGE],
  EnvironmentClass: [
    { name: 'Default', jsonPath: '.spec.default', type: 'boolean', description: 'Whether it serves namespaces without a class label.' },
    READY,
    REASON,
    AGE,
  ],
  ProviderConfig: [
    { name: 'Provider', jsonPath: '.spec.provider', description: 'The provider.' },
    { name: 'Lifetime', jsonPath: '.spec.lifetime', description: 'How long what it reaches lives.', priority: 1 },
    READY,
    REASON,
    AGE,
  ],
};

const ADMIN_ABOUT: Readonly<Record<AdminKind, string>> = {
  ClaimDefinition: 'One claim kind: its schema, the keys of its connection Secret, and its public outputs.',
  Composition: 'One implementation of one claim kind: resources with expressions.',
  EnvironmentClass: 'How claims are provided in a class of namespaces: by which compositions, configs and parameters.',
  ProviderConfig: 'One configuration of a provider: region, endpoint, credentials, and who may use it.',
};

/** More fields in the status of one kind. */
const ADMIN_STATUS: Partial<Record<AdminKind, JsonObject>> = {
  ClaimDefinition: {
    accepted: {
      type: 'object',
      description: 'The spec that is in force: an edit that existing claims would not survive is not taken over.',
      'x-kubernetes-preserve-unknown-fields': true,
    },
  },
};

/** The CustomResourceDefinitions of the admin kinds. */
export function adminCrds(version: string): JsonObject[] {
  return (Object.keys(ADMIN_KINDS) as AdminKind[]).map(kind => {
    const status = adminStatusSchema(ADMIN_STATUS[kind]);
    const schema: JsonObject = {
      type: 'object',
      description: ADMIN_ABOUT[kind],
      required: ['spec'],
      properties: {
        ...HEAD,
        spec: { ...structural(ADMIN_KINDS[kind] as Schema, `${kind}.spec`), description: 'What is wanted.' },
        // The engine judges each, so a waiter waits for its verdict.
        status: { ...status, default: { observedGeneration: -1 } },
      },
      ...(ADMIN_RULES[kind] === undefined ? {} : { 'x-kubernetes-validations': ADMIN_RULES[kind] }),
    };
    const { plural, shortNames } = ADMIN_NAMES[kind];
    return crd({ kind, plural, shortNames, categories: ['plinth'], scope: 'Cluster', schema, columns: ADMIN_COLUMNS[kind], labels: {}, version });
  });
}

function crd({ kind, plural, shortNames, categories, scope, schema, columns, labels, version }: Kind, annotations: StringMap = {}): JsonObject {
  const spec = {
    group: GROUP,
    scope,
    names: { kind, listKind: `${kind}List`, plural, singular: kind.toLowerCase(), shortNames: [...shortNames], categories: [...categories] },
    versions: [
      {
        name: VERSION,
        served: true,
        storage: true,
        schema: { openAPIV3Schema: schema },
        subresources: { status: {} },
        additionalPrinterColumns: columns.map(column => ({ type: 'string', ...column })),
      },
    ],
  } as unknown as JsonObject;
  const allLabels = { 'app.kubernetes.io/part-of': 'plinth', ...labels };
  const kept = { 'helm.sh/resource-policy': 'keep', ...annotations };
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: {
      name: `${plural}.${GROUP}`,
      labels: allLabels,
      annotations: { ...kept, [ENGINE_VERSION]: version, [SCHEMA_HASH]: hash({ spec, labels: allLabels, annotations: kept }) },
    },
    spec,
  };
}

/**
 * What to do about a CustomResourceDefinition: make it, leave it, write ours over it (it is older, or was edited by hand), or leave it to the
 * newer Plinth that wrote it.
 */
export function upgrade(existing: JsonObject | undefined, wanted: JsonObject): 'create' | 'same' | 'update' | 'newer' {
  if (existing === undefined) return 'create';
  const [there, ours] = [annotationsOf(existing), annotationsOf(wanted)];
  if (compareVersions(there[ENGINE_VERSION] ?? '', ours[ENGINE_VERSION] ?? '') > 0) return 'newer';
  const isSame = there[SCHEMA_HASH] === ours[SCHEMA_HASH] && there[ENGINE_VERSION] === ours[ENGINE_VERSION];
  return isSame && covers(existing['spec']!, wanted['spec']!) ? 'same' : 'update';
}

/** True when everything of `wanted` stands in `found`: an API server adds defaults of its own. */
function covers(found: Json, wanted: Json): boolean {
  if (Array.isArray(wanted)) return Array.isArray(found) && found.length === wanted.length && wanted.every((item, index) => covers(found[index]!, item));
  if (wanted === null || typeof wanted !== 'object') return found === wanted;
  if (found === null || typeof found !== 'object' || Array.isArray(found)) return false;
  return Object.entries(wanted).every(([key, item]) => Object.hasOwn(found, key) && covers(found[key]!, item));
}

const annotationsOf = (object: JsonObject): StringMap => ((object['metadata'] as JsonObject)['annotations'] ?? {}) as StringMap;

/** Order of versions by semver: below 0 when `a` is the older one. Anything that is no version is older than every version. */
export function compareVersions(a: string, b: string): number {
  const [x, y] = [parts(a), parts(b)];
  for (const index of [0, 1, 2]) {
    const difference = (x.numbers[index] ?? -1) - (y.numbers[index] ?? -1);
    if (difference !== 0) return difference;
  }
  if (x.pre === y.pre) return 0;
  if (x.pre === '' || y.pre === '') return x.pre === '' ? 1 : -1;
  return comparePre(x.pre.split('.'), y.pre.split('.'));
}

function parts(version: string): { readonly numbers: readonly number[]; readonly pre: string } {
  const match = /^v?(\d+)\.(\d+)\.(\d+)(?:-([0-9A-Za-z.-]+))?(?:\+.*)?$/.exec(version);
  return match === null ? { numbers: [], pre: '' } : { numbers: match.slice(1, 4).map(Number), pre: match[4] ?? '' };
}

/** Numbers by value and before words, words by their characters, the shorter one first. */
function comparePre(a: readonly string[], b: readonly string[]): number {
  for (const [index, left] of a.entries()) {
    const right = b[index];
    if (right === undefined) return 1;
    if (left === right) continue;
    const numbers = [left, right].map(part => (/^\d+$/.test(part) ? Number(part) : undefined));
    if (numbers[0] !== undefined && numbers[1] !== undefined) return numbers[0] - numbers[1];
    if (numbers[0] !== undefined || numbers[1] !== undefined) return numbers[0] !== undefined ? -1 : 1;
    return left < right ? -1 : 1;
  }
  return a.length - b.length;
}
