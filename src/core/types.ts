/** The nouns of Plinth in TypeScript. Plain, JSON-like data; everything is read-only by convention: make a new value, never change one in place. */
import type { TObject, TSchema } from '@sinclair/typebox';
import type { EngineError } from './errors.ts';

export type Json = null | boolean | number | string | Json[] | JsonObject;
export type JsonObject = { [key: string]: Json };
/** A place inside a document: `deadLetter.maxReceives`, `spec.resources[1].id`, `tags["plinth.dev/uid"]`. The empty path is the whole. See paths.ts. */
export type Path = string;
/** RFC 3339, UTC, milliseconds. */
export type Timestamp = string;
/** First 12 hex digits of an HMAC-SHA256 under the instance's key: says nothing about the value. */
export type Digest = string;
/** `queue`, or `subscription[order-events]`: template id and key, never an index. */
export type ResourceId = string;
/** `family/thing`, e.g. `aws/sqs-queue`; the family is the slot that a class fills with a ProviderConfig. */
export type TypeName = string;
export type StringMap = Record<string, string>;

// ── What people write ────────────────────────────────────────────────────────────────────────────────────────

/** Which object; `namespace` is '' for cluster-scoped kinds. */
export interface ObjectKey {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}
export type ClaimKey = ObjectKey;

/** The optional `lifecycle` block of a claim, as written. */
export interface LifecycleSpec {
  readonly deletion?: 'Delete' | 'Retain';
  readonly drift?: 'Correct' | 'Report';
  readonly management?: 'Full' | 'ObserveOnly';
  readonly ignore?: Readonly<Record<string, readonly Path[]>>;
  readonly adopt?: Readonly<Record<string, string>>;
  readonly composition?: string;
  readonly parameters?: JsonObject;
}
/** Effective, after the class's defaults; pinned in status, so deletion needs neither class nor composition. */
export interface Lifecycle {
  readonly deletion: 'Delete' | 'Retain';
  readonly drift: 'Correct' | 'Report';
  readonly management: 'Full' | 'ObserveOnly';
  /** By template id: paths never treated as drift. */
  readonly ignore: Readonly<Record<string, readonly Path[]>>;
  /** By template id: the name of an existing thing to take over. */
  readonly adopt: Readonly<Record<string, string>>;
}
/** What a service wants: parsed, defaulted, `lifecycle` taken out of `spec`. */
export interface Claim extends ClaimKey {
  readonly uid: string;
  readonly generation: number;
  readonly annotations: Readonly<StringMap>;
  readonly spec: JsonObject;
  readonly lifecycle: LifecycleSpec;
  readonly deletionRequested: boolean;
  readonly hasFinalizer: boolean;
  readonly status: ClaimStatus;
  /** Opaque; a write carries the version it was computed from. */
  readonly version: string;
}
/** One claim kind and the contract each composition of it fills: Secret keys, and outputs that other claims may read. */
export interface ClaimDefinition {
  readonly name: string;
  readonly kind: string;
  readonly plural: string;
  readonly shortNames: readonly string[];
  /** Claims of a Cluster kind belong to no namespace, and so have no connection Secret. */
  readonly scope: 'Namespaced' | 'Cluster';
  /** Schema of the claim's `spec` without `lifecycle`. */
  readonly schema: TSchema;
  /** Without keys, and of no type, for a Cluster kind. */
  readonly connection: { readonly type: string; readonly keys: Readonly<Record<string, { readonly optional: boolean; readonly description?: string }>> };
  readonly outputs: TSchema;
}
/** One implementation of one claim kind, as written; strings may hold `${cel}`. */
export interface Composition {
  readonly name: string;
  readonly claim: string;
  readonly parameters: TSchema;
  readonly references: readonly ReferenceTemplate[];
  readonly resources: readonly ResourceTemplate[];
  readonly connection: Readonly<StringMap>;
  readonly outputs: Readonly<StringMap>;
}
export interface ReferenceTemplate {
  readonly id: string;
  readonly claim: string;
  readonly forEach?: string;
  readonly name: string;
}
export interface ResourceTemplate {
  readonly id: string;
  readonly type: TypeName;
  readonly spec: JsonObject;
  /** Its name carries no id; at most one per composition. */
  readonly main?: boolean;
  readonly includeWhen?: string;
  /** Together: one resource per item, `each` in scope. */
  readonly forEach?: string;
  readonly key?: string;
  /** Instead of the class's naming, before the type's rules. */
  readonly name?: string;
  /** Beside the type's own readiness; reads only this resource. */
  readonly readyWhen?: readonly string[];
  /** Order that no expression shows. */
  readonly dependsOn?: readonly string[];
  /** Earlier ids: a rename moves the resource instead of replacing it. */
  readonly formerly?: readonly string[];
}
export type CredentialsFrom = 'Environment' | 'Secret' | 'WebIdentity' | 'Static' | 'InCluster' | 'File';
export interface ProviderConfig {
  readonly name: string;
  readonly provider: string;
  /** Checked against the provider's settings schema; may hold `${claim.namespace}` in strings. */
  readonly settings: JsonObject;
  readonly lifetime: 'Cluster' | 'Namespace' | 'Process';
  /** Undefined: only through classes. */
  readonly allowedNamespaces: readonly string[] | undefined;
}
export interface Policy {
  readonly swap: 'Approve' | 'Automatic' | 'Refuse';
  readonly reclaim: 'Conflict' | 'Reuse';
  readonly recreateLost: boolean;
  readonly graceSeconds: number;
  readonly purgeOnDelete: boolean;
  readonly deletion: 'Delete' | 'Retain';
  readonly drift: 'Correct' | 'Report';
  /** CEL template for names, e.g. `${claim.namespace}_${claim.name}`; '' for the built-in rule. */
  readonly naming: string;
}
/** One line of a class: how one claim kind is provided. */
export interface Implementation {
  readonly claim: string;
  readonly composition: string;
  /** Slot (family) to ProviderConfig name. */
  readonly configs: Readonly<StringMap>;
  readonly parameters: JsonObject;
}
/** How an Environment wants one claim kind of its namespace provided; only what the class allows. */
export interface Override {
  readonly claim: string;
  readonly composition?: string;
  readonly parameters: JsonObject;
}
/** What the claims of a namespace see of the Environment that made it; `name` is '' where none did. */
export interface Environment {
  readonly name: string;
  readonly asleep: boolean;
  readonly config: Readonly<StringMap>;
  readonly overrides: readonly Override[];
}
/** Where a claim stands, as far as that chooses. `class`: what its namespace names; undefined: nothing. */
export interface Place {
  readonly class: string | undefined;
  readonly environment: Environment;
}
export interface EnvironmentClass {
  readonly name: string;
  readonly isDefault: boolean;
  /** One for `Environment` as well, when the class has a block for it. */
  readonly implementations: readonly Implementation[];
  /** How long Environments of the class live, as `7d`; '' for ever. */
  readonly ttl: string;
  readonly policy: Policy;
  readonly allow: {
    readonly compositions: readonly string[];
    readonly parameters: readonly string[];
    readonly adopt: readonly { readonly type: TypeName; readonly name: string }[];
  };
}
/** Which implementation serves a claim, and by which rule; total. */
export interface Selection {
  readonly class: string;
  readonly composition: string;
  readonly configs: Readonly<StringMap>;
  readonly parameters: JsonObject;
  readonly policy: Policy;
  readonly adoptable: readonly { readonly type: TypeName; readonly name: string }[];
  readonly because: 'claim' | 'environment' | 'class' | 'default class';
}

// ── Compiled ─────────────────────────────────────────────────────────────────────────────────────────────────

/** `deadLetter.state.arn` reads root `deadLetter`, path `state.arn`; `[]` in a path stands for every element. Known from the parsed form. */
export interface Read {
  readonly root: string;
  readonly path: Path;
  /** Read through `.?` or guarded by `has()`. */
  readonly optional: boolean;
  /** The part of `path` that must be there, else the value is pending; the whole path unless it is optional. */
  readonly needs?: Path;
}
/** A compiled `${…}`. `secret`: a read goes through `.secret`; such an expression is never evaluated in the core. */
export interface Expression {
  readonly source: string;
  readonly at: Path;
  readonly reads: readonly Read[];
  readonly secret: boolean;
  /** Evaluates over the roots it reads; `undefined` is none. Set by the compiler; not part of the plain data. */
  readonly run: (roots: Readonly<Record<string, Json | undefined>>) => Json | undefined;
}
export type Template =
  | { readonly kind: 'literal'; readonly value: Json }
  | { readonly kind: 'expression'; readonly expression: Expression }
  | { readonly kind: 'text'; readonly parts: readonly (string | Expression)[] }
  | { readonly kind: 'list'; readonly items: readonly Template[] }
  | { readonly kind: 'map'; readonly entries: Readonly<Record<string, Template>> };
export interface CompiledResource {
  readonly id: string;
  readonly type: TypeName;
  readonly main: boolean;
  readonly includeWhen: Expression | undefined;
  /** `each`: what the items are. */
  readonly forEach: { readonly over: Expression; readonly key: Expression; readonly each?: 'claim' | 'resource' | 'data' } | undefined;
  readonly name: Template | undefined;
  readonly spec: Template;
  readonly readyWhen: readonly Expression[];
  /** Template ids, explicit and from reads. */
  readonly dependsOn: readonly string[];
  readonly formerly: readonly string[];
}
export interface CompiledReference {
  readonly id: string;
  readonly claim: string;
  readonly forEach: Expression | undefined;
  readonly name: Template;
}
/** Checked and in order (topological, else the author's). `revision` is the content hash of the source. */
export interface CompiledComposition {
  readonly name: string;
  readonly claim: string;
  readonly revision: string;
  readonly parameters: TSchema;
  readonly references: readonly CompiledReference[];
  readonly resources: readonly CompiledResource[];
  readonly connection: Readonly<Record<string, Template>>;
  readonly outputs: Readonly<Record<string, Template>>;
}

// ── Provider contract ────────────────────────────────────────────────────────────────────────────────────────

/** Written on everything the engine makes. Only an exact match, uid included, may be changed or deleted. */
export interface Owner extends ClaimKey {
  readonly instance: string;
  readonly id: ResourceId;
  readonly uid: string;
}
/** What a thing is, wherever it is configured from; two entries never share one. `scope`: what the connection really talks to. */
export interface Identity {
  readonly scope: string;
  readonly type: TypeName;
  readonly name: string;
}
export interface Context<Client = unknown> {
  readonly client: Client;
  readonly signal: AbortSignal;
  /** `quick`: fields that cost a call of their own may stay unread. */
  readonly depth: 'quick' | 'full';
  readonly log: (message: string, fields?: JsonObject) => void;
  /** Waits until the config's call budget for this service allows one more call; call it before every request. Rejects when aborted. `operation`: for metrics. */
  readonly budget: (service: string, operation?: string) => Promise<void>;
  /** Ask it once more when the request is written, its connection standing: throws LeaseLost when the process may no longer act, as after it stood still. */
  readonly fence: () => void;
}
export type Readiness = { readonly ready: true } | { readonly ready: false; readonly reason: string; readonly message: string };
export interface Absent {
  readonly kind: 'absent';
}
/** What is there. `spec` has the shape of the desired spec and is what is compared; `state` is what expressions read. */
export interface Present<Spec = JsonObject, State = JsonObject> {
  readonly kind: 'present';
  readonly spec: Partial<Spec>;
  /** Top-level spec fields that this (quick) look did not read: neither compared nor judged. */
  readonly unread: readonly string[];
  readonly state: State;
  readonly readiness: Readiness;
  /** When the service says the thing was made; seconds may be cut off. */
  readonly createdAt?: Timestamp;
}
/** A provider's answer. Secret outputs stand beside spec and state, never inside. */
export type Observation<Spec = JsonObject, State = JsonObject> = Absent | (Present<Spec, State> & { readonly secrets: StringMap });
/** What the core sees: digests instead of secrets, and `unknown` when the read failed. On unknown nothing is created or deleted. */
export type Observed = Absent | (Present & { readonly secrets: Readonly<Record<string, Digest>> }) | { readonly kind: 'unknown'; readonly error: EngineError };
/** One path that differs; `drift` when we last saw there the very value that is desired now. `desired` undefined: take the field away. */
export interface Change {
  readonly path: Path;
  readonly desired: Json | undefined;
  readonly observed: Json | undefined;
  readonly cause: 'changed' | 'drift';
  /** The desired value is secret: filled in right before the call. */
  readonly secret?: true;
}
/** The whole desired spec (pending fields left out), what is there, and the paths to change. */
export interface Update<Spec = JsonObject, State = JsonObject> {
  readonly spec: Spec;
  readonly seen: Present<Spec, State>;
  readonly changes: readonly Change[];
}
/**
 * `template`: the class's naming under these rules (`characters` is the inside of a character class; `lowercase` folds first).
 * `key`: a natural key, for things without a free name; undefined while a field it needs is not there yet.
 */
export type Naming<Spec> =
  | {
      readonly by: 'template';
      readonly minLength?: number;
      readonly maxLength: number;
      readonly characters: string;
      readonly lowercase?: boolean;
      readonly unique: 'account' | 'global';
      readonly suffix?: (spec: Spec) => string;
    }
  | { readonly by: 'key'; readonly key: (spec: Spec) => string | undefined };
/** Ownership is a spec field: a map (tags, annotations) or a text (comment). `key`: no place; the natural key holds a parent that is ours. */
export type Mark = { readonly as: 'map' | 'text'; readonly at: string } | { readonly as: 'key' };
/**
 * Schema keyword `plinth` of a top-level spec field. Without it: compared exactly; unset means the default, and without a default an
 * outside change is reported, and put back if the field is also `removable: true` (leaving it out takes it away).
 * `immutable`: a change replaces the thing · `secret`: never in the core · `create-only`: used at create, never compared ·
 * `delete-only`: used at delete, never compared · `left-alone-unset`: unset means "whatever is there" · `shared`: a map others write to as well.
 */
export type FieldBehaviour = 'immutable' | 'secret' | 'create-only' | 'delete-only' | 'left-alone-unset' | 'shared';
export interface ResourceType<Spec = JsonObject, State = JsonObject, Client = unknown> {
  readonly type: TypeName;
  readonly description: string;
  readonly spec: TObject;
  readonly state: TObject;
  /** Names of the secret outputs. */
  readonly secrets: readonly string[];
  readonly naming: Naming<Spec>;
  readonly mark: Mark;
  readonly holds: 'nothing' | 'backlog' | 'data';
  /** Instead of `holds`, for a type whose things are of many kinds: by the natural key. */
  readonly holdsBy?: (name: string) => 'nothing' | 'backlog' | 'data';
  /** The service's own propagation time: within it neither drift nor loss. A top-level field that takes longer says so by keyword `settleSeconds`. */
  readonly settleSeconds: number;
  readonly examples: readonly Spec[];
  /** Reads, changes nothing. A thrown `NotFound` is read as absent. */
  observe(ctx: Context<Client>, name: string): Promise<Observation<Spec, State>>;
  /** The one call that makes the thing and carries its mark; what does not fit is left to update. `AlreadyExists` is read as done. */
  create(ctx: Context<Client>, name: string, spec: Spec): Promise<void>;
  /** Starts exactly these changes. */
  update(ctx: Context<Client>, name: string, update: Update<Spec, State>): Promise<void>;
  /** Starts the deletion. A thrown `NotFound` is read as done. `onDelete` holds the delete-only fields. */
  delete(ctx: Context<Client>, name: string, seen: Present<Spec, State>, onDelete: Partial<Spec>): Promise<void>;
  /** Pure, idempotent; run over both sides before the diff. `seen`: what is there. */
  readonly normalise?: (spec: Spec, seen?: Present<Spec, State>) => Spec;
}
/** One thing with our marks, found by looking at the provider itself. */
export interface Owned {
  readonly type: TypeName;
  readonly name: string;
  readonly owner: Owner;
}
export interface Rate {
  readonly callsPerSecond: number;
  /** Calls that may be made at once after a pause. In no second more than both together. */
  readonly burst: number;
}
/** The budget of each service. `operations`: by service and operation, a budget of its own within that of the service. */
export interface Rates extends Rate {
  readonly operations?: Readonly<Record<string, Readonly<Record<string, Rate>>>>;
}
export interface Provider<Settings = JsonObject, Client = unknown> {
  readonly name: string;
  readonly description: string;
  readonly settings: TObject;
  readonly types: readonly ResourceType[];
  /** Types that `owned` cannot find. */
  readonly unsearchable: readonly TypeName[];
  /** Default call budget. */
  readonly rate: Rates;
  /** Loses its memory by design: what vanished is made again. */
  readonly forgetful: (settings: Settings) => boolean;
  /** Credentials are already resolved in `settings`. */
  connect(settings: Settings): Promise<Client>;
  /** `aws:<account>/<region>[@endpoint]`, `emulator:<instance>`, … */
  scope(client: Client): Promise<string>;
  close(client: Client): Promise<void>;
  /** By name or code, never by message text. */
  classify(error: unknown): EngineError;
  owned(ctx: Context<Client>, instance: string): AsyncIterable<Owned>;
  /**
   * For what tells of changes by itself: from now on `onChange` gets the owner in the marks of each thing of the instance that changed or went,
   * until the signal. It only hastens the next look: what it misses is found by the poll, so nothing here may fail.
   */
  readonly watch?: (client: Client, instance: string, onChange: (owner: Owner) => void, signal: AbortSignal) => void;
  /** Top-level fields that what is connected cannot do: they leave desired and comparison, and the claim says so. */
  readonly unsupported?: (client: Client) => Readonly<Record<TypeName, readonly string[]>>;
}

// ── Render ───────────────────────────────────────────────────────────────────────────────────────────────────

/** What expressions see of a referred claim: `each.item`, `each.name`, `each.ready`, `each.outputs`. */
export interface ReferencedClaim {
  readonly kind: string;
  readonly name: string;
  readonly item: Json;
  readonly ready: boolean;
  readonly outputs: JsonObject;
  /** Why it is not ready; shown to the owner of the referring claim. */
  readonly reason: string;
}
/** State that is undefined, or lacks a field, is not there yet. Of a secret only the digest is here. */
export interface ResourceView {
  readonly state: JsonObject | undefined;
  readonly ready: boolean;
  readonly secret: Readonly<Record<string, Digest>>;
}
/** All an expression may read, beside what render adds itself (`<id>.spec`, `each`). */
export interface RenderScope {
  readonly claim: ClaimKey & { readonly spec: JsonObject };
  readonly class: string;
  readonly parameters: JsonObject;
  readonly environment: Environment;
  /** By reference id; a list when the reference has forEach. */
  readonly references: Readonly<Record<string, ReferencedClaim | readonly ReferencedClaim[]>>;
  readonly resources: Readonly<Record<ResourceId, ResourceView>>;
}
export interface Pending {
  readonly path: Path;
  /** The root waited for: a resource id, or `Kind/name` of a claim. */
  readonly on: string;
  readonly message: string;
}
/** A leaf that holds secret material: filled in right before a verb or the Secret's write. `digest` stands for the value in comparisons. */
export interface SecretLeaf {
  readonly path: Path;
  readonly digest: Digest;
  readonly template: Template;
  /** The roots the template reads without their secrets; `fill` adds `<id>.secret`. */
  readonly roots: Readonly<Record<string, Json | undefined>>;
}
/** `value` holds every leaf that is known and public; what is not there yet and what is secret stand beside it. */
export interface Rendered {
  readonly value: JsonObject;
  readonly pending: readonly Pending[];
  readonly secrets: readonly SecretLeaf[];
}
export interface DesiredResource extends Rendered {
  readonly id: ResourceId;
  readonly template: string;
  readonly type: TypeName;
  readonly config: string;
  readonly main: boolean;
  /** From the composition's `name`; undefined: the class's naming. Pending names make the resource wait. */
  readonly name: string | undefined;
  readonly dependsOn: readonly ResourceId[];
  readonly formerly: readonly ResourceId[];
  /** Outcome of readyWhen over the present view: '' when it holds or nothing is asked, else what is waited for. */
  readonly notReady: string;
}
/** `undecided`: template ids whose includeWhen or forEach is still pending; what exists under them stays. */
export interface Rendering {
  readonly resources: readonly DesiredResource[];
  readonly undecided: readonly { readonly id: string; readonly on: string; readonly message: string }[];
  readonly connection: Rendered;
  readonly outputs: Rendered;
}

// ── Inventory and plan ───────────────────────────────────────────────────────────────────────────────────────

interface Entry {
  readonly id: ResourceId;
  readonly type: TypeName;
  readonly config: string;
  readonly dependsOn: readonly ResourceId[];
  readonly ready: boolean;
  readonly message: string;
}
/** Its natural key is pending: nothing can exist. */
export type WaitingEntry = Entry & { readonly phase: 'Waiting' };
/** A real thing the engine has started to own. */
export interface OwnedEntry extends Entry, Identity {
  readonly phase: 'Intended' | 'Created' | 'Present' | 'Retiring' | 'Deleting';
  /** When the phase began. */
  readonly since: Timestamp;
  /** How many predecessors this id had; part of the name unless 0. */
  readonly incarnation: number;
  readonly origin: 'Created' | 'Adopted' | 'Observed';
  /** Pinned at each good pass, so that deletion needs neither class nor composition. */
  readonly deletion: 'Delete' | 'Retain';
  readonly onDelete: JsonObject;
  readonly holds: 'nothing' | 'backlog' | 'data';
  /** Our last mutating call: the settle time counts from it. */
  readonly changedAt?: Timestamp;
  /**
   * Digest per leaf, written when the leaf was seen equal. A leaf we do not set holds `~` and the digest of what it was when the thing
   * became ready; the key '' is there once those were taken.
   */
  readonly settled: Readonly<Record<Path, Digest>>;
  /** What the last update sent and has not been seen yet. */
  readonly sent?: Readonly<Record<Path, Digest>>;
  /** First look at which a Present thing was absent. */
  readonly missing?: Timestamp;
  /** This entry may be retired although it holds something: hash of the approved plan. */
  readonly approved?: string;
  /** What takes its place under that plan, as identityKey; '' for nothing. For anything else the approval does not count. */
  readonly approvedFor?: string;
  /**
   * Intended, and known not to be made: it waits, a call was refused, or somebody else's thing was seen there. What stands under its name without our
   * marks is then no half-made thing of ours.
   */
  readonly unmade?: true;
  /** We made it, and the claim never worked with it so far: nothing is lost with it. */
  readonly unused?: true;
}
export type InventoryEntry = WaitingEntry | OwnedEntry;

/** `desired` is canonical: marked, defaulted, normalised. Replace is a create and a retiring entry with one id. */
export type Action =
  | { readonly kind: 'create'; readonly entry: OwnedEntry; readonly desired: DesiredResource; readonly because: 'new' | 'gone' }
  | {
      readonly kind: 'update';
      readonly entry: OwnedEntry;
      readonly desired: DesiredResource;
      readonly seen: Present;
      readonly changes: readonly Change[];
      /** An earlier claim of the name left it. */
      readonly takesBack?: true;
    }
  | { readonly kind: 'delete'; readonly entry: OwnedEntry; readonly seen: Present }
  | { readonly kind: 'forget'; readonly entry: InventoryEntry; readonly because: 'gone' | 'retained' | 'not ours' | 'lifetime over' | 'never made' }
  | { readonly kind: 'move'; readonly entry: OwnedEntry; readonly to: { readonly id: ResourceId; readonly config: string } }
  | {
      readonly kind: 'keep';
      readonly entry: OwnedEntry;
      readonly desired: DesiredResource | undefined;
      readonly seen: Present | undefined;
      readonly drift: readonly Change[];
    }
  | { readonly kind: 'wait'; readonly entry: InventoryEntry; readonly on: string; readonly message: string; readonly until: Timestamp | undefined }
  /** `read`: the look failed, which says nothing about the thing itself. */
  | { readonly kind: 'blocked'; readonly entry: InventoryEntry; readonly error: EngineError; readonly read?: true };
/** What the CLI prints, the console shows and apply runs. An approval is bound to `hash`. */
export interface Plan {
  readonly claim: ClaimKey;
  readonly actions: readonly Action[];
  /** Every entry there is after planning, new ones included (phase Intended): what must be recorded before applying. */
  readonly inventory: readonly InventoryEntry[];
  /** Identities that must be observed before this plan can be made whole; when not empty, `actions` leaves them out. */
  readonly look: readonly OwnedEntry[];
  /** What would be retired although it holds something, and is not approved: kept. Each with `approvedFor` as an approval would write it. */
  readonly held: readonly OwnedEntry[];
  readonly hash: string;
}
export type Outcome =
  | { readonly action: Action; readonly at: Timestamp; readonly result: 'done' }
  | { readonly action: Action; readonly at: Timestamp; readonly result: 'failed'; readonly error: EngineError };

// ── What is told ─────────────────────────────────────────────────────────────────────────────────────────────

export type ConditionType = 'Ready' | 'Synced' | 'Drifted' | 'Stalled';
export interface Condition {
  readonly type: ConditionType;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly message: string;
  readonly observedGeneration: number;
  readonly lastTransitionTime: Timestamp;
}
/** Path '' is the whole resource. */
export interface DriftRow {
  readonly resource: ResourceId;
  readonly path: Path;
  readonly desired?: Json;
  readonly observed?: Json;
  readonly detectedAt: Timestamp;
  readonly correctedAt?: Timestamp;
}
export interface ClaimStatus {
  /** The uid this inventory belongs to; '' before the first write. */
  readonly inventoryFor: string;
  readonly observedGeneration: number;
  readonly conditions: readonly Condition[];
  readonly class: string;
  readonly composition: string;
  readonly revision: string;
  readonly lifecycle?: Lifecycle;
  readonly binding?: { readonly name: string };
  readonly outputs: JsonObject;
  readonly resources: readonly InventoryEntry[];
  readonly drift: readonly DriftRow[];
  /** The plan that waits for `plinth approve`. */
  readonly pendingPlan?: { readonly hash: string; readonly summary: readonly string[] };
}
