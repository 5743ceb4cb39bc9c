/** From the names of ProviderConfigs to live connections, for one claim. */
import { EngineError } from '../core/errors.ts';
import type { Link } from '../core/match.ts';
import { compileSettings, renderSettings } from '../core/render.ts';
import type { Claim, JsonObject, ObjectKey, ProviderConfig, Template } from '../core/types.ts';
import { loadConfig } from './catalogue.ts';
import { type Connection, connect } from './clients.ts';
import type { Engine } from './engine.ts';
import { isNamespaceGoing } from './retain.ts';

export interface Links {
  /** By ProviderConfig name: what the core needs to know, or why there is none. */
  readonly links: ReadonlyMap<string, Link | EngineError>;
  readonly connections: ReadonlyMap<string, Connection>;
  /** See Setting.over. */
  readonly over: ReadonlySet<string>;
  /** The Secrets that credentials come from, whether they are there or not. */
  readonly secrets: readonly ObjectKey[];
}

/** Connects what is named; a config that cannot be had is an error in its place and disturbs no other. */
export async function linkAll(engine: Engine, claim: Claim, names: Iterable<string>): Promise<Links> {
  const links = new Map<string, Link | EngineError>();
  const connections = new Map<string, Connection>();
  const secrets: ObjectKey[] = [];
  const over = new Set<string>();
  await Promise.all(
    [...new Set(names)].map(async name => {
      try {
        const config = await loadConfig(engine.store, name);
        if (await isLifetimeOver(engine, claim, config)) {
          over.add(name);
          return;
        }
        const secret = secretOf(config.settings);
        if (secret !== undefined) secrets.push(secret);
        const connection = await connectFor(engine, claim, config);
        connections.set(name, connection);
        links.set(name, linkOf(connection, config));
      } catch (error) {
        if (!(error instanceof EngineError)) throw error;
        links.set(name, error);
      }
    }),
  );
  return { links, connections, over, secrets };
}

function linkOf(connection: Connection, config: ProviderConfig): Link {
  const { scope, types, unsupported, provider, settings } = connection;
  return { scope, types, unsupported, forgetful: provider.forgetful(settings), lifetime: config.lifetime };
}

/** True when what a config reaches goes with the namespace of the claim, which both go: nobody reaches for it any more. */
export async function isLifetimeOver(engine: Engine, { deletionRequested, namespace }: Claim, { lifetime }: ProviderConfig): Promise<boolean> {
  return lifetime === 'Namespace' && deletionRequested && (await isNamespaceGoing(engine, namespace));
}

/** Also for runs without a claim (orphans, doctor): give a claim with just the namespace. */
export async function connectFor(engine: Engine, claim: Pick<Claim, 'kind' | 'namespace' | 'name' | 'spec'>, config: ProviderConfig): Promise<Connection> {
  const provider = engine.providers.get(config.provider);
  if (provider === undefined) throw new EngineError('UnknownProvider', `ProviderConfig ${config.name} names provider ${config.provider}, which does not exist`);
  if (config.allowedNamespaces !== undefined && !config.allowedNamespaces.includes(claim.namespace)) {
    throw new EngineError('NoProviderConfig', `ProviderConfig ${config.name} may not be used in namespace ${claim.namespace}`, {
      hint: 'ask the admin to add the namespace to allowedNamespaces',
    });
  }
  const { kind, namespace, name, spec } = claim;
  const settings = await withCredentials(engine, config.name, renderSettings(compiledSettings(config), { claim: { kind, namespace, name, spec } }));
  return await connect(engine.connections, { ...config, settings }, provider);
}

const compiledConfigs = new WeakMap<ProviderConfig, Template>();

function compiledSettings(config: ProviderConfig): Template {
  const known = compiledConfigs.get(config) ?? compileSettings(config.settings);
  compiledConfigs.set(config, known);
  return known;
}

/** The Secret that holds the credentials; undefined when they are not in one. */
function secretOf(settings: JsonObject): ObjectKey | undefined {
  const credentials = settings['credentials'] as JsonObject | undefined;
  if (credentials?.['from'] !== 'Secret') return undefined;
  const { namespace = '', name = '' } = (credentials['secretRef'] ?? {}) as { namespace?: string; name?: string };
  return { kind: 'Secret', namespace, name };
}

/** Puts the keys of the named Secret into `credentials`. */
async function withCredentials(engine: Engine, config: string, settings: JsonObject): Promise<JsonObject> {
  const key = secretOf(settings);
  if (key === undefined) return settings;
  const credentials = settings['credentials'] as JsonObject;
  const secret = await engine.store.get(key);
  if (secret === undefined)
    throw new EngineError('InvalidCredentials', `ProviderConfig ${config}: Secret ${key.namespace}/${key.name} with the credentials does not exist`);
  return { ...settings, credentials: { ...credentials, ...(secret['data'] as JsonObject) } };
}
