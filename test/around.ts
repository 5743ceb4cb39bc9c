/** Admin objects around one resource type, so that the whole engine drives it: kind `Trial`, whose claims carry the spec as it is. */
import type { ClaimKey, JsonObject, ResourceType } from '../src/core/types.ts';
import { object } from './support.ts';

export interface Around {
  readonly type: ResourceType;
  /** Name of a provider the engine has. */
  readonly provider: string;
  readonly settings: JsonObject;
  /** Policies of the class, e.g. `{swap: 'Refuse'}`. */
  readonly policies?: JsonObject;
  /** Other keys of the resource in the composition, e.g. `readyWhen`. */
  readonly resource?: JsonObject;
  /** Fields whose value is a secret output of a helper thing of provider `fake`. */
  readonly secretsFrom?: { readonly settings: JsonObject };
}

export const TRIAL: ClaimKey = { kind: 'Trial', namespace: 'dev-alice', name: 'subject' };

/** Definition, config, composition and class; everything but the claim. */
export function around({ type, provider, settings, policies = {}, resource = {}, secretsFrom }: Around): JsonObject[] {
  const family = type.type.split('/')[0]!;
  const source = secretsFrom === undefined ? [] : [{ id: 'source', type: 'fake/thing', spec: {} }];
  const spec = fieldsFrom(type, secretsFrom !== undefined);
  const composition = {
    claim: 'Trial',
    resources: [...source, { id: 'it', main: true, type: type.type, spec, ...resource }],
    connection: { uri: `\${string(it.state.${type.state.required?.[0]})}` },
    outputs: {},
  };
  const configs = { [family]: 'trial', ...(secretsFrom === undefined || family === 'fake' ? {} : { fake: 'helper' }) };
  return [
    definition(),
    object('ProviderConfig', 'trial', { provider, settings }),
    ...(configs['fake'] === 'helper' ? [object('ProviderConfig', 'helper', { provider: 'fake', settings: secretsFrom!.settings })] : []),
    object('Composition', 'trial', composition as JsonObject),
    object('EnvironmentClass', 'test', { default: true, implementations: [{ claim: 'Trial', composition: 'trial', configs }], policies }),
  ];
}

function definition(): JsonObject {
  const value = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
  return object('ClaimDefinition', 'trials.plinth.dev', {
    kind: 'Trial',
    plural: 'trials',
    schema: { type: 'object', required: ['value'], properties: { value } },
    connection: { type: 'trial', keys: { uri: {} } },
    outputs: { type: 'object', properties: {} },
  });
}

/** Every field the claim may set; the mark is the engine's. */
function fieldsFrom(type: ResourceType, withSecrets: boolean): JsonObject {
  const { mark } = type;
  const fields = Object.entries(type.spec.properties).flatMap(([field, schema]): [string, string][] => {
    if (mark.as === 'text' && mark.at === field) return [];
    if ((schema as { plinth?: string }).plinth === 'secret') return withSecrets ? [[field, '${source.secret.token}']] : [];
    const isNeeded = (type.spec.required ?? []).includes(field) && (schema as { default?: unknown }).default === undefined;
    return [[field, `\${claim.spec.value.${isNeeded ? '' : '?'}${field}}`]];
  });
  return Object.fromEntries(fields);
}

/** The claim. */
export function trial(value: JsonObject, lifecycle?: JsonObject, key: ClaimKey = TRIAL): JsonObject {
  return object(key.kind, key.name, { value, ...(lifecycle === undefined ? {} : { lifecycle }) }, key.namespace);
}
